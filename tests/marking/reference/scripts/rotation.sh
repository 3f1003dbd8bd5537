#!/bin/bash
# Exercice 2.6 : Exemple de rotation de secrets : le mot de passe de WordPress pour sa base.
#
#   rotation.sh [VERSION]       VERSION : 2 par défaut
#
# Le nouveau mot de passe est donné à la base elle-même (ALTER USER) et au service, au même chemin :
# le programme qui le lit ne change pas. La base garde l'ancien à côté jusqu'à la fin (RETAIN
# CURRENT PASSWORD, MySQL 8), ainsi les répliques qui l'ont encore ne perdent aucune requête.
set -euo pipefail

version=${1:-2}
readonly STACK=wp USER_NAME=wordpress OLD_TARGET=db_password
new=${OLD_TARGET}_v$version
old=$(docker service inspect "${STACK}_wordpress" --format \
    '{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{if eq .File.Name "db_password"}}{{.SecretName}}{{end}}{{end}}')
[ "$old" != "$new" ] || {
    echo "rotation.sh : $new est déjà en place" >&2
    exit 2
}

# Dans une variable de ce shell : ni fichier, ni argument d'une commande, ni retour à la ligne.
value=$(head -c 24 /dev/urandom | base64 -w0 | tr '+/' '-_')
printf '%s' "$value" | docker secret create "$new" - >/dev/null

in_database() {
    # Là où la tâche de la base tourne ; le mot de passe de root est lu dans le conteneur.
    local task node container
    task=$(docker service ps --filter desired-state=running --quiet "${STACK}_db" | head -n 1)
    node=$(docker inspect --format '{{.NodeID}}' "$task")
    container=$(docker inspect --format '{{.Status.ContainerStatus.ContainerID}}' "$task")
    if [ "$node" = "$(docker info --format '{{.Swarm.NodeID}}')" ]; then
        docker exec -i "$container" sh -c \
            'MYSQL_PWD=$(cat /run/secrets/db_root_password) exec mysql --user=root'
    else
        ssh "root@$(docker node inspect --format '{{.Status.Addr}}' "$node")" docker exec -i "$container" \
            sh -c "'MYSQL_PWD=\$(cat /run/secrets/db_root_password) exec mysql --user=root'"
    fi
}

in_database <<SQL
ALTER USER '$USER_NAME'@'%' IDENTIFIED BY '$value' RETAIN CURRENT PASSWORD;
SQL
docker service update --detach=false \
    --secret-rm "$old" --secret-add "source=$new,target=$OLD_TARGET" "${STACK}_wordpress"
in_database <<SQL
ALTER USER '$USER_NAME'@'%' DISCARD OLD PASSWORD;
SQL
# La base garde l'ancien secret dans sa définition ; elle est changée en dernier, elle s'arrête pour
# cela. Ce qu'elle lit au démarrage ne compte que pour une base vide.
docker service update --detach=false \
    --secret-rm "$old" --secret-add "source=$new,target=$OLD_TARGET" "${STACK}_db"
docker secret rm "$old" >/dev/null
echo "rotation.sh : $old est remplacé par $new, et n'existe plus"
