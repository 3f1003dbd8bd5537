#!/bin/sh
# Starts Redis as its own user; words that begin with a dash, and a configuration file, are for it.
set -eu

case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    shift
    configured=''
    case ${1:-} in
        '' | -*) ;;
        *)
            configured=$1
            shift
            ;;
    esac
    # The official image is built without the protection that would refuse every other container;
    # words of the caller's, which come later, and a line in his file win.
    if [ -z "$configured" ] || ! grep -qE '^[[:space:]]*protected-mode[[:space:]]' "$configured"; then
        set -- --protected-mode no "$@"
    fi
    set -- redis-server ${configured:+"$configured"} "$@"
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis:redis '{}' +
        set -- setpriv --reuid=redis --regid=redis --clear-groups "$@"
    fi
fi
exec "$@"
