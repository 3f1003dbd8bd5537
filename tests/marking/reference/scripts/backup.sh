#!/bin/bash
# swarm-backup: one complete backup of a Docker Swarm, taken on one of its managers.
#
# The engine of this manager is stopped for as long as the copy takes, and started again whatever
# happens. The README beside this file tells how to install it and how to restore.

set -euo pipefail
umask 077

usage() {
    cat <<'USAGE'
swarm-backup [options]        take one backup of the swarm that this manager belongs to
swarm-backup --mend           start an engine that a killed backup has left stopped

  --to DIR                    where backups go (default: /var/backups/swarm)
  --keep N                    how many complete backups of this swarm stay there (default: 14)
  --no-volumes                leave this machine's local volumes out
  --leader-too                also on the leader: the swarm elects another meanwhile
  --hot                       copy under the running engine. Not for relying on: see the README
  --unlock-key-dir DIR        autolock: write the unlock key there, one file for each key
  --key-is-kept-elsewhere     autolock: you have the unlock key; it is written nowhere

Ends with
  0  the backup is complete          5  without this manager there would be no quorum
  1  something unforeseen            6  not a healthy manager of a swarm
  2  wrong usage                     7  autolock, and nobody said where the key is kept
  3  another run has not ended       8  the copy could not be written (disk full?)
  4  this manager leads              9  the engine doesn't come back
129, 130, 143 when interrupted. Except after 9 the engine runs as before; with 2 to 7 it was
never stopped. After 9 the backup is complete all the same if the last line says so.
USAGE
}

readonly RUN=${SWARM_BACKUP_RUN:-/run}
readonly LOCK=$RUN/swarm-backup.lock
readonly STOPPED=$RUN/swarm-backup.stopped
readonly UNITS=(docker.socket docker.service)
readonly ENGINE_S=60 LEADER_S=120

to=/var/backups/swarm keep=14 volumes=yes leader_too=no hot=no key_dir='' key_elsewhere=no mend=no
partial='' key='' stopped=no

say() { printf 'swarm-backup: %s\n' "$*"; }

fail() {
    local code=$1
    shift
    printf 'swarm-backup: %s\n' "$*" >&2
    exit "$code"
}

micros() { printf '%s' "${EPOCHREALTIME//[!0-9]/}"; }

seconds_since() {
    local tenths=$((($(micros) - $1 + 50000) / 100000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# -- the engine ----------------------------------------------------------------------------------

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

node_state() { docker info --format '{{.Swarm.LocalNodeState}}' 2>/dev/null || true; }

stop_engine() {
    stopped=yes
    # For --mend and the next boot's reader: who stopped it, should this process be killed.
    printf '%s\n' "$$" >"$STOPPED"
    # Both: a connection to the socket would start the service again.
    systemctl stop "${UNITS[@]}"
}

# Start it, unlock it, and wait until it has a leader. 1: it doesn't come back.
start_engine() {
    local deadline=$((SECONDS + ENGINE_S))
    systemctl reset-failed "${UNITS[@]}" 2>/dev/null || true
    systemctl start "${UNITS[@]}" || true
    until engine_answers; do
        if ((SECONDS >= deadline)) || systemctl --quiet is-failed docker.service; then
            journalctl --no-pager --lines=5 --unit=docker.service >&2 || true
            return 1
        fi
        sleep 0.2
    done
    stopped=no
    rm -f -- "$STOPPED"
    if [ -n "$key" ]; then
        # Not at once: until its part of the swarm has been read, it is only pending.
        until [ "$(node_state)" != pending ] || ((SECONDS >= deadline)); do
            sleep 0.2
        done
        if [ "$(node_state)" = locked ]; then
            printf '%s\n' "$key" | docker swarm unlock >/dev/null || return 1
        fi
    fi
}

wait_for_a_leader() {
    local deadline=$((SECONDS + LEADER_S))
    until docker node ls >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 1
    done
}

finish() {
    local code=$?
    trap '' INT TERM HUP
    trap - EXIT
    if [ "$stopped" = yes ] && ! start_engine; then
        printf 'swarm-backup: the engine does not come back: journalctl -u docker\n' >&2
        code=9
    fi
    if [ -n "$partial" ]; then
        rm -rf -- "$partial"
    fi
    exit "$code"
}

# -- what is asked for ---------------------------------------------------------------------------

while [ $# -gt 0 ]; do
    case $1 in
    --to | --keep | --unlock-key-dir)
        [ -n "${2:-}" ] || fail 2 "$1 needs a value; --help tells more"
        case $1 in
        --to) to=$2 ;;
        --keep) keep=$2 ;;
        --unlock-key-dir) key_dir=$2 ;;
        esac
        shift
        ;;
    --no-volumes) volumes=no ;;
    --leader-too) leader_too=yes ;;
    --hot) hot=yes ;;
    --key-is-kept-elsewhere) key_elsewhere=yes ;;
    --mend) mend=yes ;;
    --help)
        usage
        exit 0
        ;;
    *) fail 2 "unknown option $1; --help tells which there are" ;;
    esac
    shift
done
[[ $keep =~ ^[1-9][0-9]*$ ]] || fail 2 "--keep $keep: a whole number from 1 on"
[[ $to = /* ]] || fail 2 "--to $to: a path from the root on"
[ "$(id -u)" = 0 ] || fail 2 "only root can read /var/lib/docker"
if [ -n "$key_dir" ]; then
    [[ $key_dir = /* ]] || fail 2 "--unlock-key-dir $key_dir: a path from the root on"
    case $(realpath -m -- "$key_dir")/ in
    "$(realpath -m -- "$to")"/*) fail 2 "--unlock-key-dir: a key beside the backups protects nothing" ;;
    esac
fi

exec 9>>"$LOCK"
flock --nonblock 9 || fail 3 "another swarm-backup or swarm-restore has not ended"

if [ "$mend" = yes ]; then
    [ -e "$STOPPED" ] || exit 0
    say "starting the engine that a killed backup has left stopped"
    start_engine || fail 9 "the engine does not come back: journalctl -u docker"
    [ "$(node_state)" != locked ] || fail 9 "the engine is back and locked: docker swarm unlock"
    exit 0
fi

# -- may it be stopped? --------------------------------------------------------------------------

engine_answers || fail 6 "the engine does not answer: is docker.service running?"
facts=$(docker info --format '{{.Swarm.LocalNodeState}}
{{.Swarm.ControlAvailable}}
{{.Swarm.NodeID}}
{{.Swarm.NodeAddr}}
{{.DockerRootDir}}
{{.ServerVersion}}
{{.Name}}
{{with .Swarm.Cluster}}{{.ID}}
{{.Spec.EncryptionConfig.AutoLockManagers}}
{{.DataPathPort}}{{end}}') || fail 6 "docker info failed"
{
    read -r state
    read -r control
    read -r node
    read -r address
    read -r root
    read -r version
    read -r host
    read -r swarm || swarm=''
    read -r autolock || autolock=''
    read -r data_path_port || true
} <<<"$facts"
[ "$state" = active ] || fail 6 "this machine's part of the swarm is $state, not active"
[ "$control" = true ] && [ -n "$swarm" ] || fail 6 "this machine is not a manager"
# A row without a status has the role and no vote: a lost manager's, after a restore.
managers=$(docker node ls --filter role=manager \
    --format '{{with .ManagerStatus}}{{$.ID}} {{.}} {{$.Self}}{{end}}' | sed '/^$/d') ||
    fail 6 "the managers have no leader: nothing that they know now could be backed up"

total=0 up=0 leads=no
while read -r _ status self; do
    total=$((total + 1))
    case $status in Leader | Reachable) up=$((up + 1)) ;; esac
    if [ "$status" = Leader ] && [ "$self" = true ]; then leads=yes; fi
done <<<"$managers"
if [ "$hot" = no ]; then
    quorum=$((total / 2 + 1))
    if ((total > 1 && up - 1 < quorum)); then
        fail 5 "$up of $total managers are up: without this one there would be no quorum of $quorum"
    fi
    if ((total > 1)) && [ "$leads" = yes ] && [ "$leader_too" = no ]; then
        fail 4 "this manager leads: run this on another one, or with --leader-too"
    fi
fi

fingerprint=''
if [ "$autolock" = true ]; then
    [ -n "$key_dir" ] || [ "$key_elsewhere" = yes ] ||
        fail 7 "autolock is on, and no backup can be read without its unlock key:" \
            "--unlock-key-dir or --key-is-kept-elsewhere"
    # Also needed in any case: an autolocked engine that was stopped comes back locked.
    key=$(docker swarm unlock-key --quiet) && [ -n "$key" ] ||
        fail 7 "the managers do not tell the unlock key"
    fingerprint=$(printf '%s' "$key" | sha256sum)
    fingerprint=${fingerprint%% *}
fi

# -- the copy ------------------------------------------------------------------------------------

trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

readonly FULL="the copy could not be written, and nothing of it is left (disk full?)"
mkdir -p -- "$to" || fail 8 "$FULL"
# Only this run holds the lock: what another has left half done is nobody's.
rm -rf -- "$to"/.partial-*
when=$(date --utc +%Y%m%dT%H%M%SZ)
name=swarm-$when-$host
[ ! -e "$to/$name" ] || fail 1 "$to/$name exists already"
partial=$to/.partial-$name
mkdir -- "$partial" "$partial/inventory" || fail 8 "$FULL"

# For people, and for what the raft log doesn't tell once it is lost. Secrets: their names alone.
inventory() (
    # On its own: in a list of commands `set -e` would not be heeded.
    cd -- "$partial/inventory" || exit 1
    docker node ls >nodes.txt &&
        docker service ls >services.txt &&
        docker config ls >configs.txt &&
        docker secret ls >secrets.txt &&
        docker network ls --filter scope=swarm >networks.txt &&
        docker volume ls >volumes.txt || exit 1
    for kind in node service config; do
        ids=$(docker "$kind" ls --quiet) || exit 1
        if [ -z "$ids" ]; then
            echo '[]' >"${kind}s.json"
        else
            # shellcheck disable=SC2086 # ids have no spaces
            docker "$kind" inspect $ids >"${kind}s.json" || exit 1
        fi
    done
    # shellcheck disable=SC2046 # ids have no spaces
    docker node inspect --format '{{.ID}} {{.Description.Hostname}} {{.ManagerStatus.Addr}}' \
        $(cut -d ' ' -f 1 <<<"$managers") >managers.txt
)
inventory || fail 8 "the inventory could not be written"

copy() {
    local archive=$1 code=0
    shift
    tar --create --file="$partial/$archive.tar" --directory="$root" \
        --numeric-owner --xattrs --sparse --one-file-system "$@" || code=$?
    # 1: a file changed while it was read, which only a hot copy may see.
    [ "$code" = 0 ] || { [ "$code" = 1 ] && [ "$hot" = yes ]; } || fail 8 "$FULL"
}

began=$(micros)
engine_stopped=0.0
if [ "$hot" = no ]; then
    say "stopping the engine of $host, $up of $total managers are up"
    stop_engine || fail 1 "the engine could not be stopped"
fi
copy swarm swarm
if [ "$volumes" = yes ]; then
    copy volumes --exclude=volumes/backingFsBlockDev volumes
fi
lost=no
if [ "$hot" = no ]; then
    if start_engine; then
        engine_stopped=$(seconds_since "$began")
        say "the engine was away for $engine_stopped s"
    else
        # The copy is good, and now more precious: it is finished first.
        lost=yes
        stopped=no
    fi
fi

# Packed only now, while the engine is at work again.
for archive in "$partial"/*.tar; do
    gzip -- "$archive" || fail 8 "$FULL"
done
listed=$(tar --list --gzip --file="$partial/swarm.tar.gz") || fail 8 "$FULL"
for part in swarm/docker-state.json swarm/certificates/swarm-node.key swarm/raft/; do
    grep -q "^$part" <<<"$listed" || fail 8 "the copy holds no $part"
done

if [ -n "$key_dir" ] && [ -n "$key" ]; then
    mkdir -p -- "$key_dir"
    printf '%s\n' "$key" >"$key_dir/swarm-unlock-${fingerprint:0:16}.key" ||
        fail 8 "the unlock key could not be written to $key_dir"
fi
cat >"$partial/manifest" <<MANIFEST || fail 8 "$FULL"
format=1
swarm=$swarm
node=$node
host=$host
address=$address
created=$when
engine=$version
managers=$total
data_path_port=${data_path_port:-0}
autolock=$autolock
unlock_key_sha256=$fingerprint
volumes=$volumes
hot=$hot
engine_stopped_s=$engine_stopped
MANIFEST
sums=$(cd -- "$partial" && find . -type f -printf '%P\0' | sort --zero-terminated |
    xargs --null sha256sum) || fail 8 "$FULL"
printf '%s\n' "$sums" >"$partial/SHA256SUMS" || fail 8 "$FULL"
# On the disk before it has its name: what is called a backup is one, also after a power failure.
sync --file-system "$partial" || fail 8 "$FULL"
mv --no-target-directory -- "$partial" "$to/$name" || fail 8 "$FULL"
partial=''
sync "$to"

# -- what is no longer needed --------------------------------------------------------------------

# The newest of this swarm stay; of another swarm nothing is touched. Names sort by their date.
kept=0
for old in $(find "$to" -mindepth 1 -maxdepth 1 -type d -name 'swarm-*Z-*' -printf '%f\n' | sort -r); do
    grep -qx "swarm=$swarm" "$to/$old/manifest" 2>/dev/null || continue
    kept=$((kept + 1))
    if ((kept > keep)); then
        say "removing $old, the newest $keep stay"
        rm -rf -- "${to:?}/$old"
    fi
done
if [ -n "$key_dir" ]; then
    for old in "$key_dir"/swarm-unlock-*.key; do
        used=${old##*/swarm-unlock-}
        if [ -e "$old" ] && ! grep -qs "^unlock_key_sha256=${used%.key}" "$to"/*/manifest; then
            rm -f -- "$old"
        fi
    done
fi

if [ "$lost" = yes ]; then
    fail 9 "the engine does not come back (journalctl -u docker); the backup is complete: $to/$name"
fi
if [ "$hot" = no ] && ! wait_for_a_leader; then
    fail 9 "the engine is back, but knows no leader; the backup is complete: $to/$name"
fi
say "complete: $to/$name"
