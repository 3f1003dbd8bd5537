#!/bin/bash
# Exercice 2.6 : Exemple de rotation de secrets : le mot de passe de WordPress pour sa base.
#
#   rotation.sh [VERSION]       VERSION : 2 par défaut
#
# Le nouveau mot de passe est donné à la base elle-même (ALTER USER) et aux services, au même chemin :
# le programme qui le lit ne change pas. La base garde l'ancien à côté jusqu'à la fin (RETAIN
# CURRENT PASSWORD, MySQL 8), ainsi les répliques qui l'ont encore ne perdent aucune requête.
set -euo pipefail

readonly STACK=wp TARGET=db_password
version=${1:-2}
new=${TARGET}_v$version
old=$(docker service inspect "${STACK}_wordpress" --format \
    "{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{if eq .File.Name \"$TARGET\"}}{{.SecretName}}{{end}}{{end}}")
if [ "$old" = "$new" ]; then
    echo "rotation.sh : $new est déjà en place" >&2
    exit 2
fi
image=$(docker service inspect "${STACK}_db" --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}')

# De la source au moteur : ni fichier, ni argument d'une commande, ni retour à la ligne.
head -c 24 /dev/urandom | base64 -w0 | tr '+/' '-_' | docker secret create "$new" - >/dev/null

# Une tâche dans le réseau de la base, qui reçoit les deux secrets et finit : elle marche sur n'importe
# quel nœud, et aucun mot de passe n'est dans sa définition.
in_database() {
    local name=rotation-$1 statement=$2
    docker service create --quiet --detach=false --no-resolve-image --mode replicated-job \
        --name "$name" --network "${STACK}_backend" \
        --secret db_root_password --secret "source=$new,target=new" \
        --restart-condition on-failure --restart-max-attempts 3 \
        "$image" sh -c "
            printf \"$statement\" \"\$(cat /run/secrets/new)\" |
                MYSQL_PWD=\$(cat /run/secrets/db_root_password) mysql --host=db --user=root" >/dev/null
    docker service rm "$name" >/dev/null
}

exchange() {
    docker service update --quiet --detach=false --no-resolve-image \
        --secret-rm "$old" --secret-add "source=$new,target=$TARGET" "$1" >/dev/null
}

in_database accept "ALTER USER 'wordpress'@'%%' IDENTIFIED BY '%s' RETAIN CURRENT PASSWORD;"
exchange "${STACK}_wordpress"
# %.0s : le mot de passe n'est pas écrit dans cette phrase.
in_database forget "ALTER USER 'wordpress'@'%%' DISCARD OLD PASSWORD;%.0s"
# La base elle-même, en dernier : elle s'arrête pour cela. Ce secret ne compte que pour une base vide.
exchange "${STACK}_db"
docker secret rm "$old" >/dev/null
echo "rotation.sh : $old est remplacé par $new, et n'existe plus"
