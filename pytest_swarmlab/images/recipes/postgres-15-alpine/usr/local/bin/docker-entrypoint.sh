#!/bin/sh
# Starts PostgreSQL; in an empty data directory it makes the database first.
#
# POSTGRES_PASSWORD, POSTGRES_USER (postgres), POSTGRES_DB (as the user) and
# POSTGRES_INITDB_ARGS, each also as NAME_FILE, the path of a file that holds the value;
# POSTGRES_HOST_AUTH_METHOD (scram-sha-256). Scripts in /docker-entrypoint-initdb.d are run once.
set -eu

SCRIPTS=/docker-entrypoint-initdb.d

refuse() {
    printf '%s\n' "$@" >&2
    exit 1
}

# setting NAME DEFAULT: NAME is set from itself, from the file that NAME_FILE names, or to DEFAULT.
setting() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        refuse "error: both $1 and $1_FILE are set (but are exclusive)"
    fi
    if [ -n "$file" ]; then
        value=$(cat "$file") || refuse "error: $1_FILE names $file, which can't be read"
    fi
    value=${value:-$2}
    export "$1=$value"
    unset "$1_FILE" value file
}

# As root: hand the places that the server writes to over to its user.
give_places() {
    mkdir -p "$PGDATA" /run/postgresql
    # A shared volume may not allow it; then the server says whether it minds.
    chmod 0700 "$PGDATA" || true
    chmod 2775 /run/postgresql || true
    find "$PGDATA" /run/postgresql ! -user postgres -exec chown postgres {} +
}

settings() {
    setting POSTGRES_PASSWORD ''
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS ''
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        refuse 'Error: Database is uninitialized and superuser password is not specified.' \
            '       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser,' \
            '       for example "-e POSTGRES_PASSWORD=password" on "docker run".' \
            '       POSTGRES_HOST_AUTH_METHOD=trust would let everybody in without a password.'
    fi
}

sql() {
    psql --no-psqlrc --no-password --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"
}

run_scripts() {
    for script in "$SCRIPTS"/*; do
        case $script in
        *.sh)
            echo "running $script"
            if [ -x "$script" ]; then
                "$script"
            else
                # shellcheck disable=SC1090 # what it is, only the container's owner knows
                . "$script"
            fi
            ;;
        *.sql)
            echo "running $script"
            sql --dbname "$POSTGRES_DB" --file "$script"
            ;;
        *.sql.gz)
            echo "running $script"
            gunzip -c "$script" | sql --dbname "$POSTGRES_DB"
            ;;
        "$SCRIPTS/*") ;;
        *) echo "ignoring $script" ;;
        esac
    done
}

make_database() {
    settings
    # The password goes through a pipe: arguments can be seen by everybody.
    # shellcheck disable=SC2086 # these are several arguments
    printf '%s\n' "$POSTGRES_PASSWORD" |
        initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile /dev/stdin $POSTGRES_INITDB_ARGS
    method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -D "$PGDATA" -C password_encryption)}
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

    # What follows needs a server; nobody else may reach it before all is done.
    pg_ctl --pgdata "$PGDATA" --wait --options "-c listen_addresses=''" start
    if [ "$POSTGRES_DB" != postgres ]; then
        echo 'CREATE DATABASE :"name";' | sql --dbname postgres --set name="$POSTGRES_DB"
    fi
    run_scripts
    pg_ctl --pgdata "$PGDATA" --wait --mode fast stop
    unset POSTGRES_PASSWORD
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

case ${1-} in
-*) set -- postgres "$@" ;;
esac
if [ "${1-}" = postgres ]; then
    case " $* " in
    *" --help "* | *" -? "* | *" --version "* | *" -V "* | *" --describe-config "*) exec "$@" ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        give_places
        export HOME=/var/lib/postgresql
        exec setpriv --reuid postgres --regid postgres --init-groups -- "$0" "$@"
    fi
    if [ -s "$PGDATA/PG_VERSION" ]; then
        printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
        make_database
    fi
fi
exec "$@"
