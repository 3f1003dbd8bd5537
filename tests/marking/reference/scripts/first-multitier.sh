#!/bin/bash
# L'application à trois tiers : sa base reçoit une table, et le premier de ses deux rôles, qui a le
# mot de passe du secret db_password_v1.
set -euo pipefail

readonly STACK=multitier
until [ "$(docker service ls --filter name=${STACK}_db --format '{{.Replicas}}')" = 1/1 ]; do
    sleep 2
done

# Une tâche dans le réseau de la base, qui reçoit les deux secrets et finit : aucun mot de passe
# n'est dans sa définition.
docker service create --quiet --detach=false --no-resolve-image --mode replicated-job \
    --name first-role --network "${STACK}_back" \
    --secret db_admin_password --secret source=db_password_v1,target=role \
    --restart-condition on-failure --restart-max-attempts 5 \
    postgres:15-alpine sh -c '
        { printf "\\\\set password %s\n" "$(cat /run/secrets/role)"
          cat <<SQL
CREATE ROLE app NOLOGIN;
CREATE TABLE item (id serial PRIMARY KEY, name text);
ALTER TABLE item OWNER TO app;
INSERT INTO item (name) VALUES ('"'first'"'), ('"'second'"');
CREATE ROLE app_a LOGIN IN ROLE app PASSWORD :'"'password'"';
SQL
        } | PGPASSWORD=$(cat /run/secrets/db_admin_password) \
            psql --host=db --username=postgres --dbname=app --quiet --single-transaction -v ON_ERROR_STOP=1' >/dev/null
docker service rm first-role >/dev/null
