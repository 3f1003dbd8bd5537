#!/bin/bash
# Exercice 2.6 : rotation d'un secret : le mot de passe de l'application à trois tiers pour sa base.
#
#   rotation.sh [VERSION]       VERSION : 2 par défaut
#
# Deux rôles se relaient, app_a et app_b : celui qui ne sert pas reçoit le nouveau mot de passe, puis
# les répliques passent à lui l'une après l'autre, au même chemin ; celles qui ont encore l'ancien ne
# perdent aucune requête. À la fin l'ancien rôle n'a plus de mot de passe, et l'ancien secret n'est plus.
set -euo pipefail

readonly STACK=multitier TARGET=db_password
version=${1:-2}
new=${TARGET}_v$version

# Ce que le service a maintenant au chemin TARGET.
given() {
    docker service inspect "${STACK}_api" --format \
        "{{range .Spec.TaskTemplate.ContainerSpec.$1s}}{{if eq .File.Name \"$2\"}}{{.$1Name}}{{end}}{{end}}"
}

old=$(given Secret "$TARGET")
user=$(given Config /app/db_user)
if [ "$old" = "$new" ]; then
    echo "rotation.sh : $new est déjà en place" >&2
    exit 2
fi
case $user in
    *_a) from=app_a to=app_b ;;
    *) from=app_b to=app_a ;;
esac

# De la source au moteur : ni fichier, ni argument d'une commande, ni retour à la ligne.
head -c 24 /dev/urandom | base64 -w0 | tr '+/' '-_' | docker secret create "$new" - >/dev/null
printf %s "$to" | docker config create "db_user_${to#app_}_v$version" - >/dev/null

# Une tâche dans le réseau de la base, qui reçoit les secrets et finit.
in_database() {
    local name=rotation-$1 statement=$2
    docker service create --quiet --detach=false --no-resolve-image --mode replicated-job \
        --name "$name" --network "${STACK}_back" \
        --secret db_admin_password --secret "source=$new,target=new" \
        --restart-condition on-failure --restart-max-attempts 3 \
        postgres:15-alpine sh -c "
            printf '\\\\set password %s\n%s\n' \"\$(cat /run/secrets/new)\" \"$statement\" |
                PGPASSWORD=\$(cat /run/secrets/db_admin_password) \
                psql --host=db --username=postgres --dbname=app --quiet -v ON_ERROR_STOP=1" >/dev/null
    docker service rm "$name" >/dev/null
}

in_database accept "DROP ROLE IF EXISTS $to; CREATE ROLE $to LOGIN IN ROLE app PASSWORD :'password';"
docker service update --quiet --detach=false --no-resolve-image \
    --secret-rm "$old" --secret-add "source=$new,target=$TARGET,uid=1000,gid=1000,mode=0400" \
    --config-rm "$user" --config-add "source=db_user_${to#app_}_v$version,target=/app/db_user" \
    "${STACK}_api" >/dev/null
# Une réplique remplacée répond encore quelques secondes, avec l'ancien.
sleep 10
in_database forget "ALTER ROLE $from PASSWORD NULL;"
docker secret rm "$old" >/dev/null
echo "rotation.sh : $old est remplacé par $new, et n'existe plus"
