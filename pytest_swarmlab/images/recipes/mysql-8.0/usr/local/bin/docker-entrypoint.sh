#!/bin/sh
# Starts MySQL; in an empty data directory it makes the database first.
#
# One of MYSQL_ROOT_PASSWORD, MYSQL_ALLOW_EMPTY_PASSWORD and MYSQL_RANDOM_ROOT_PASSWORD;
# MYSQL_ROOT_HOST (%), MYSQL_DATABASE, MYSQL_USER and MYSQL_PASSWORD, MYSQL_ONETIME_PASSWORD.
# Those with a value of one's own also as NAME_FILE, the path of a file that holds the value.
# Scripts in /docker-entrypoint-initdb.d are run once.
set -eu

DATA=/var/lib/mysql
SOCKET=/var/run/mysqld/mysqld.sock
SCRIPTS=/docker-entrypoint-initdb.d

say() {
    printf '%s [%s] [Entrypoint]: %s\n' "$(date --rfc-3339=seconds)" "$1" "$2"
}

refuse() {
    say ERROR "$1" >&2
    shift
    [ $# = 0 ] || printf '    %s\n' "$@" >&2
    exit 1
}

# setting NAME DEFAULT: NAME is set from itself, from the file that NAME_FILE names, or to DEFAULT.
setting() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        refuse "Both $1 and $1_FILE are set (but are exclusive)"
    fi
    if [ -n "$file" ]; then
        value=$(cat "$file") || refuse "$1_FILE names $file, which can't be read"
    fi
    value=${value:-$2}
    export "$1=$value"
    unset "$1_FILE" value file
}

settings() {
    setting MYSQL_ROOT_HOST %
    setting MYSQL_ROOT_PASSWORD ''
    setting MYSQL_DATABASE ''
    setting MYSQL_USER ''
    setting MYSQL_PASSWORD ''
    : "${MYSQL_ALLOW_EMPTY_PASSWORD:=}" "${MYSQL_RANDOM_ROOT_PASSWORD:=}" "${MYSQL_ONETIME_PASSWORD:=}"
    if [ -z "$MYSQL_ROOT_PASSWORD$MYSQL_ALLOW_EMPTY_PASSWORD$MYSQL_RANDOM_ROOT_PASSWORD" ]; then
        refuse 'Database is uninitialized and password option is not specified' \
            'You need to specify one of the following as an environment variable:' \
            '- MYSQL_ROOT_PASSWORD' \
            '- MYSQL_ALLOW_EMPTY_PASSWORD' \
            '- MYSQL_RANDOM_ROOT_PASSWORD'
    fi
    if [ "$MYSQL_USER" = root ]; then
        refuse 'MYSQL_USER="root", MYSQL_USER and MYSQL_PASSWORD are for configuring a regular user and cannot be used for the root user' \
            'Remove MYSQL_USER="root" and set the password of root by MYSQL_ROOT_PASSWORD instead'
    fi
    if [ -n "$MYSQL_USER" ] && [ -z "$MYSQL_PASSWORD" ]; then
        say Warn 'MYSQL_USER specified, but missing MYSQL_PASSWORD; MYSQL_USER will not be created'
    elif [ -z "$MYSQL_USER" ] && [ -n "$MYSQL_PASSWORD" ]; then
        say Warn 'MYSQL_PASSWORD specified, but missing MYSQL_USER; MYSQL_PASSWORD will be ignored'
    fi
    if [ -n "$MYSQL_RANDOM_ROOT_PASSWORD" ]; then
        MYSQL_ROOT_PASSWORD=$(od -A n -N 18 -t x1 /dev/urandom | tr -d ' \n')
        export MYSQL_ROOT_PASSWORD
        say Note "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
    fi
}

# text STRING, name STRING: as SQL wants strings and names.
text() {
    printf "'%s'" "$(printf %s "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")"
}

# shellcheck disable=SC2016 # these are SQL's quotes, not the shell's
name() {
    printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"
}

# statement WORD...: not by echo, which would take backslashes for its own.
statement() {
    printf '%s;\n' "$*"
}

accounts() {
    password=$(text "$MYSQL_ROOT_PASSWORD")
    far="'root'@$(text "$MYSQL_ROOT_HOST")"
    if [ "$MYSQL_ROOT_HOST" != localhost ]; then
        statement CREATE USER "$far" IDENTIFIED BY "$password"
        statement GRANT ALL ON '*.*' TO "$far" WITH GRANT OPTION
    fi
    if [ -n "$MYSQL_DATABASE" ]; then
        statement CREATE DATABASE IF NOT EXISTS "$(name "$MYSQL_DATABASE")"
    fi
    if [ -n "$MYSQL_USER" ] && [ -n "$MYSQL_PASSWORD" ]; then
        user="$(text "$MYSQL_USER")@'%'"
        statement CREATE USER "$user" IDENTIFIED BY "$(text "$MYSQL_PASSWORD")"
        if [ -n "$MYSQL_DATABASE" ]; then
            # In a grant, an underscore stands for any character unless escaped.
            statement GRANT ALL ON "$(name "$MYSQL_DATABASE" | sed 's/_/\\_/g').*" TO "$user"
        fi
    fi
    # Last, because this very session is root's.
    statement ALTER USER "'root'@'localhost'" IDENTIFIED BY "$password"
}

# A client of root's, who has a password by now: in a file, as arguments can be seen by everybody.
client() {
    mysql --defaults-extra-file="$LOGIN" --user=root --socket="$SOCKET" "$@"
}

write_login() {
    LOGIN=$(mktemp)
    printf '[client]\npassword="%s"\n' \
        "$(printf %s "$MYSQL_ROOT_PASSWORD" | sed 's/\\/\\\\/g; s/"/\\"/g')" > "$LOGIN"
}

run_scripts() {
    for script in "$SCRIPTS"/*; do
        case $script in
        *.sh)
            say Note "running $script"
            if [ -x "$script" ]; then
                "$script"
            else
                # shellcheck disable=SC1090 # what it is, only the container's owner knows
                . "$script"
            fi
            ;;
        *.sql)
            say Note "running $script"
            client ${MYSQL_DATABASE:+--database="$MYSQL_DATABASE"} < "$script"
            ;;
        *.sql.gz)
            say Note "running $script"
            gunzip -c "$script" | client ${MYSQL_DATABASE:+--database="$MYSQL_DATABASE"}
            ;;
        "$SCRIPTS/*") ;;
        *) say Warn "ignoring $script" ;;
        esac
    done
}

make_database() {
    settings
    say Note 'Initializing database files'
    "$@" --initialize-insecure
    say Note 'Database files initialized'

    # What follows needs a server; nobody else may reach it before all is done.
    "$@" --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" &
    server=$!
    until mysqladmin --user=root --socket="$SOCKET" --silent ping; do
        kill -0 "$server" || refuse 'Unable to start server'
        sleep 0.2
    done
    accounts | mysql --user=root --socket="$SOCKET"
    write_login
    run_scripts
    if [ -n "$MYSQL_ONETIME_PASSWORD" ]; then
        statement ALTER USER "'root'@$(text "$MYSQL_ROOT_HOST")" PASSWORD EXPIRE | client
    fi
    rm -f "$LOGIN"
    kill "$server"
    wait "$server"
    unset MYSQL_PASSWORD MYSQL_ROOT_PASSWORD
    say Note 'MySQL init process done. Ready for start up.'
}

case ${1-} in
-*) set -- mysqld "$@" ;;
esac
if [ "${1-}" = mysqld ]; then
    case " $* " in
    *" --help "* | *" -? "* | *" --version "* | *" -V "* | *" --print-defaults "*) exec "$@" ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        find "$DATA" /run/mysqld ! -user mysql -exec chown mysql {} +
        say Note "Switching to dedicated user 'mysql'"
        exec setpriv --reuid mysql --regid mysql --init-groups -- "$0" "$@"
    fi
    if [ ! -d "$DATA/mysql" ]; then
        make_database "$@"
    fi
fi
exec "$@"
