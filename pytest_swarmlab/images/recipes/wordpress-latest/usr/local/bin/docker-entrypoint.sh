#!/bin/sh
# Starts Apache on a WordPress in the working directory; an empty one gets its files first.
#
# With any variable WORDPRESS_… set, it also gets a wp-config.php, which reads those variables
# (the list is there). Keys and salts that none of them gives are made up for this container.
set -eu

SOURCE=/usr/src/wordpress
OWNER=www-data

# Copy WordPress; themes and plugins that a volume has already stay as they are.
populate() {
    echo "WordPress not found in $PWD - copying now..." >&2
    if [ -n "$(find . -mindepth 1 -maxdepth 1 ! -name wp-content)" ]; then
        echo "WARNING: $PWD is not empty! (copying anyhow)" >&2
    fi
    set --
    for place in "$SOURCE"/wp-content/*/*/; do
        place=${place#"$SOURCE/"}
        if [ -e "$place" ]; then
            echo "WARNING: '$PWD/${place%/}' exists! (not copying the WordPress version)" >&2
            set -- "$@" "--exclude=./${place%/}"
        fi
    done
    # A directory that is there may be a mount that this user doesn't own.
    [ "$(id -u)" = 0 ] || set -- --no-same-owner --no-overwrite-dir "$@"
    tar --create --directory "$SOURCE" . | tar --extract "$@"
    echo "Complete! WordPress has been successfully copied to $PWD" >&2
}

random() {
    od -A n -N 32 -t x1 /dev/urandom | tr -d ' \n'
}

configure() {
    echo "No 'wp-config.php' found in $PWD, but 'WORDPRESS_...' variables supplied: writing one" >&2
    while IFS= read -r line; do
        case $line in
        *@random@*) line="${line%%@random@*}$(random)${line#*@random@}" ;;
        esac
        printf '%s\n' "$line"
    done < "$SOURCE/wp-config-docker.php" > wp-config.php
    [ "$(id -u)" != 0 ] || chown "$OWNER:$OWNER" wp-config.php || true
}

case ${1-} in
apache2*)
    if [ "$(id -u)" = 0 ] && [ "$(stat -c %u:%g .)" = 0:0 ]; then
        chown "$OWNER:$OWNER" .
    fi
    if [ ! -e index.php ] && [ ! -e wp-includes/version.php ]; then
        populate
    fi
    if [ ! -s wp-config.php ] && env | grep -q '^WORDPRESS_'; then
        configure
    fi
    ;;
esac
exec "$@"
