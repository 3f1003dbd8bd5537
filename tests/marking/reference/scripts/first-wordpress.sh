#!/bin/bash
# WordPress avec une seule réplique, jusqu'à ce qu'elle soit saine : au premier démarrage trois
# déballeraient en même temps thèmes et extensions dans le même répertoire partagé.
set -euo pipefail

here=$(cd -- "$(dirname -- "$0")/.." && pwd)
WORDPRESS_REPLICAS=1 docker stack deploy --resolve-image never -c "$here/stacks/wordpress-stack.yml" wp
until [ "$(docker service ls --filter name=wp_wordpress --format '{{.Replicas}}')" = 1/1 ]; do
    sleep 2
done
