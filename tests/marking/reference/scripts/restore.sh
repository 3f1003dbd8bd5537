#!/bin/bash
# swarm-restore: a swarm from a backup that swarm-backup has taken, on a machine with the address
# of the manager that it was taken on.
#
# Nothing is touched before all of the backup has been verified and a word of confirmation was
# given. What was there is moved aside and comes back unless the restored manager leads.

set -euo pipefail
umask 077

usage() {
    cat <<'USAGE'
swarm-restore [options] BACKUP       BACKUP: a directory that swarm-backup has made

  --verify                  only verify that it could be restored here
  --yes-replace-this-swarm  the confirmation; without it a person at a terminal is asked
  --swarm ID                refuse the backup of any other swarm
  --unlock-key-file FILE    autolock: the key of the time of the backup; - reads it from a terminal
                            or a pipe
  --keep-membership         no --force-new-cluster: this manager waits until a majority has been
                            restored likewise, each from its own backup. Autolock needs that
  --others-are-gone         whatever answers at the other managers' addresses is not this swarm
  --no-volumes              leave the backup's volumes out
  --replace-volumes         volumes that are here already are moved aside, too

Ends with
  0  the restored swarm answers      6  it was taken at an address that this machine hasn't
  1  it failed; all is as before     7  the unlock key is missing or wrong
  2  wrong usage                     8  it was not confirmed
  3  another run has not ended       9  it failed, and the engine doesn't come back either
  4  the backup is damaged          10  another manager of the swarm still answers
  5  it is of another swarm
With 2 to 8 and 10 nothing was touched, and the engine was not stopped.
USAGE
}

readonly RUN=${SWARM_BACKUP_RUN:-/run}
readonly LOCK=$RUN/swarm-backup.lock
readonly UNITS=(docker.socket docker.service)
readonly ENGINE_S=60 LEADER_S=300 KNOCK_S=2

backup='' verify=no confirmed=no wanted='' key_file='' membership=no gone=no volumes=yes replace=no
key='' root=/var/lib/docker new='' old='' begun=no exchanged=no placed=()

say() { printf 'swarm-restore: %s\n' "$*"; }

fail() {
    local code=$1
    shift
    printf 'swarm-restore: %s\n' "$*" >&2
    exit "$code"
}

while [ $# -gt 0 ]; do
    case $1 in
    --swarm | --unlock-key-file)
        [ -n "${2:-}" ] || fail 2 "$1 needs a value; --help tells more"
        case $1 in
        --swarm) wanted=$2 ;;
        --unlock-key-file) key_file=$2 ;;
        esac
        shift
        ;;
    --verify) verify=yes ;;
    --yes-replace-this-swarm) confirmed=yes ;;
    --keep-membership) membership=yes ;;
    --others-are-gone) gone=yes ;;
    --no-volumes) volumes=no ;;
    --replace-volumes) replace=yes ;;
    --help)
        usage
        exit 0
        ;;
    -*) fail 2 "unknown option $1; --help tells which there are" ;;
    *)
        [ -z "$backup" ] || fail 2 "one backup at a time: $backup or $1?"
        backup=$1
        ;;
    esac
    shift
done
[ -n "$backup" ] || fail 2 "name the backup's directory; --help tells more"
[ "$(id -u)" = 0 ] || fail 2 "only root can write /var/lib/docker"

exec 9>>"$LOCK"
flock --nonblock 9 || fail 3 "another swarm-backup or swarm-restore has not ended"

# -- is it a backup, whole and unchanged? --------------------------------------------------------

damaged() { fail 4 "$backup is damaged: $*"; }

[ -f "$backup/manifest" ] && [ -f "$backup/SHA256SUMS" ] || damaged "no manifest or no checksums"
fact() { sed -n "s/^$1=//p" "$backup/manifest"; }
[ "$(fact format)" = 1 ] || damaged "its manifest is of no format that is known here"
needed=(manifest swarm.tar.gz inventory/managers.txt)
if [ "$(fact volumes)" = yes ]; then
    needed+=(volumes.tar.gz)
fi
for file in "${needed[@]}"; do
    grep -q "  $file\$" "$backup/SHA256SUMS" || damaged "it has no checksum of $file"
done
complaint=$(cd -- "$backup" && sha256sum --check --strict --quiet SHA256SUMS 2>&1) ||
    damaged "${complaint//$'\n'/; }"

# What the checksums can't tell: whether it was good when they were made.
listed=$(tar --list --gzip --file="$backup/swarm.tar.gz") || damaged "swarm.tar.gz can't be read"
if grep -qvE '^swarm/' <<<"$listed" || grep -qE '(^|/)\.\.(/|$)' <<<"$listed"; then
    damaged "swarm.tar.gz holds other things than the swarm's directory"
fi
for part in swarm/docker-state.json swarm/certificates/swarm-node.key swarm/raft/; do
    grep -q "^$part" <<<"$listed" || damaged "it holds no $part"
done
if [ "$(fact volumes)" = yes ]; then
    inside=$(tar --list --gzip --file="$backup/volumes.tar.gz") || damaged "volumes can't be read"
    if grep -qvE '^volumes/' <<<"$inside" || grep -qE '(^|/)\.\.(/|$)' <<<"$inside"; then
        damaged "volumes.tar.gz holds other things than volumes"
    fi
else
    volumes=no
fi

# -- does it belong here? ------------------------------------------------------------------------

swarm=$(fact swarm) address=$(fact address) autolock=$(fact autolock)
engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
if engine_answers; then
    root=$(docker info --format '{{.DockerRootDir}}')
fi
if [ -n "$wanted" ] && [ "$wanted" != "$swarm" ]; then
    fail 5 "$backup is of the swarm $swarm, not of $wanted"
fi
# The certificate of a member names its swarm, also where the engine doesn't run.
certificate=$root/swarm/certificates/swarm-node.crt
if [ -s "$certificate" ]; then
    here=$(openssl x509 -in "$certificate" -noout -subject -nameopt sep_multiline,sname |
        sed -n 's/^ *O=//p') || here=unreadable
    if [ "$here" = unreadable ] && [ -n "$wanted" ]; then
        here=$wanted
    fi
    if [ "$here" != "$swarm" ]; then
        fail 5 "$backup is of the swarm $swarm, and this machine belongs to $here:" \
            "\`docker swarm leave --force\` first, if that is meant"
    fi
fi
if ! ip -oneline address show | awk '{ sub("/.*", "", $4); print $4 }' | grep -Fqx -- "$address"; then
    fail 6 "$backup was taken at $address, which this machine hasn't: the other nodes look for the" \
        "manager there, and it would present another's certificate here"
fi
if [ "$autolock" = true ]; then
    [ -n "$key_file" ] ||
        fail 7 "$backup is locked: --unlock-key-file with the key of the time when it was taken"
    if [ "$key_file" = - ]; then
        [ ! -t 0 ] || printf 'Unlock key: ' >&2
        IFS= read -r key || true
    else
        IFS= read -r key <"$key_file" || [ -n "$key" ] || fail 7 "$key_file holds no key"
    fi
    seen=$(printf '%s' "$key" | sha256sum)
    [ "${seen%% *}" = "$(fact unlock_key_sha256)" ] ||
        fail 7 "that is not the key that $backup is locked with"
    # `swarm unlock` doesn't return before there is a leader, and --force-new-cluster, which would
    # make one, is refused while it is locked (see also moby issue 36852): a majority is needed.
    if [ "$(fact managers)" = 1 ]; then
        membership=yes
    elif [ "$membership" = no ]; then
        fail 7 "Docker can't make a new cluster of a locked manager: restore a majority of the" \
            "$(fact managers) managers, each from its own backup, with --keep-membership"
    fi
fi
if [ "$verify$gone$membership" = nonono ]; then
    while read -r _ other place; do
        if [ "${place%:*}" = "$address" ]; then continue; fi
        # shellcheck disable=SC2016 # expanded by the shell that it is given to
        if timeout "$KNOCK_S" bash -c ': <"/dev/tcp/${0%:*}/${0##*:}"' "$place" 2>/dev/null; then
            fail 10 "$other ($place) still answers as a manager: two swarms of one identity would" \
                "fight over the nodes. Stop its engine, or --others-are-gone if it is another swarm"
        fi
    done <"$backup/inventory/managers.txt"
fi
if [ "$(fact hot)" = yes ]; then
    say "this is a hot backup: it may be torn, and what was decided last may be missing"
fi
if [ "$verify" = yes ]; then
    say "$backup is whole and could be restored here"
    exit 0
fi
if [ "$confirmed" = no ]; then
    if [ -t 0 ]; then
        printf 'The swarm on this machine becomes that of %s. Type replace: ' "$(fact created)" >&2
        read -r word || word=''
        [ "$word" != replace ] || confirmed=yes
    fi
    [ "$confirmed" = yes ] || fail 8 "not confirmed: --yes-replace-this-swarm"
fi

# -- the exchange --------------------------------------------------------------------------------

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
}

# As it was. Only what came with the backup is deleted; what can't go back is left where it is.
undo() {
    local volume
    systemctl stop "${UNITS[@]}" || true
    if [ "$exchanged" = yes ]; then rm -rf -- "$root/swarm"; fi
    if [ -e "$old/swarm" ]; then mv --no-target-directory -- "$old/swarm" "$root/swarm"; fi
    for volume in "${placed[@]}"; do
        rm -rf -- "${root:?}/volumes/$volume"
    done
    for volume in "$old"/volumes/*; do
        [ ! -e "$volume" ] || mv --no-clobber -- "$volume" "$root/volumes/"
    done
    if ! rmdir -- "$old/volumes" "$old"; then
        printf 'swarm-restore: not all could go back, see %s\n' "$old" >&2
    fi
    start_engine
}

finish() {
    local code=$?
    trap '' INT TERM HUP
    trap - EXIT
    if [ "$begun" = yes ]; then
        printf 'swarm-restore: putting back what was there before\n' >&2
        undo || code=9
    fi
    if [ -n "$new" ]; then
        rm -rf -- "$new"
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Unpacked beside its place first: a full disk is met while all is as it was.
when=$(date --utc +%Y%m%dT%H%M%SZ)
old=$root/before-restore-$when
new=$root/restoring-$when
mkdir -- "$new"
unpack() {
    tar --extract --gzip --file="$backup/$1" --directory="$new" \
        --numeric-owner --same-owner --same-permissions --xattrs --xattrs-include='*' ||
        fail 1 "$1 can't be unpacked to $new"
}
unpack swarm.tar.gz
if [ "$volumes" = yes ]; then
    unpack volumes.tar.gz
fi

say "stopping the engine"
mkdir -p -- "$old/volumes"
begun=yes
systemctl stop "${UNITS[@]}" || fail 1 "the engine could not be stopped"
if [ -e "$root/swarm" ]; then mv -- "$root/swarm" "$old/swarm"; fi
mv -- "$new/swarm" "$root/swarm"
exchanged=yes
if [ "$volumes" = yes ]; then
    [ -d "$root/volumes" ] || mkdir -m 0701 -- "$root/volumes"
    there=$(find "$root/volumes" -mindepth 1 -maxdepth 1 -type d -printf x)
    # The engine's list of volumes and their labels: only where there are no others to forget.
    if [ -n "$there" ]; then rm -f -- "$new/volumes/metadata.db"; fi
    for from in "$new"/volumes/*; do
        [ -e "$from" ] || continue
        volume=${from##*/}
        if [ -e "$root/volumes/$volume" ]; then
            if [ "$replace" = no ] && [ "$volume" != metadata.db ]; then
                say "the volume $volume is here already and stays as it is"
                continue
            fi
            mv -- "$root/volumes/$volume" "$old/volumes/"
        fi
        mv -- "$from" "$root/volumes/"
        placed+=("$volume")
    done
fi

say "starting the engine on the restored state"
start_engine || fail 1 "the engine does not start on the restored state"

# Run a command of the swarm's until the engine has read the restored state: until then it says
# that it is no manager. `docker info` would sit there for 20 s, as there is no leader to ask.
once_it_is_a_manager() {
    local deadline=$((SECONDS + ENGINE_S))
    until said=$("$@" 2>&1); do
        # Its key was not locked yet when it was copied.
        [[ $said != *"is not locked"* ]] || return 0
        [[ $said == *"not a swarm manager"* || $said == *"not part of a swarm"* ]] || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}
if [ "$membership" = yes ] && [ "$(fact managers)" -gt 1 ]; then
    say "waiting for a majority of the $(fact managers) managers: restore the others now"
fi
if [ "$autolock" = true ]; then
    unlock() { printf '%s\n' "$key" | docker swarm unlock; }
    once_it_is_a_manager unlock || fail 1 "the restored swarm stays locked: $said"
fi
if [ "$membership" = no ]; then
    port=$(fact data_path_port)
    [ "$port" != 0 ] || port=4789
    once_it_is_a_manager docker swarm init --force-new-cluster --advertise-addr "$address" \
        --data-path-port "$port" || fail 1 "no new cluster could be made of it: $said"
fi
deadline=$((SECONDS + LEADER_S))
until led=$(docker node ls --filter role=manager --format '{{.Self}} {{.ManagerStatus}}' 2>&1) &&
    grep -qE 'true (Leader|Reachable)' <<<"$led"; do
    ((SECONDS < deadline)) || fail 1 "the restored manager has no leader: $led"
    sleep 0.5
done
say "$(fact host) is a manager of the swarm $swarm as of $(fact created)"
begun=no
rm -rf -- "$old"

if [ "$membership" = no ]; then
    cat <<'NEXT'
swarm-restore: what is left to do
  1. docker node ls: nodes that have kept their disks come back by themselves
  2. rows of machines that exist no more: docker node rm --force ID
  3. every other machine: docker swarm leave --force if it is an old manager, then docker swarm
     join with the token of docker swarm join-token, until there are three managers again
NEXT
fi
