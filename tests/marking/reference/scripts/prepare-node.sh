#!/bin/bash
# Avant les stacks, sur chaque machine : montage NFS et /etc/fstab ; sur un manager aussi le backup.
set -euo pipefail

readonly SERVER=192.168.56.10 SHARE=/srv/nfs/swarm-data MOUNT=/mnt/nfs/swarm-data
here=$(cd -- "$(dirname -- "$0")" && pwd)

systemctl enable docker

if ! ip -brief address | grep -qF "$SERVER/"; then
    mkdir -p "$MOUNT"
    # _netdev : ne pas monter avant le réseau ; hard : attendre le serveur au lieu de perdre.
    line="$SERVER:$SHARE $MOUNT nfs defaults,nfsvers=4.2,hard,_netdev 0 0"
    grep -qxF "$line" /etc/fstab || printf '%s\n' "$line" >>/etc/fstab
    # Par son seul nom : ce que fstab dit est ainsi essayé.
    mountpoint -q "$MOUNT" || mount "$MOUNT"
fi

if [ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ]; then
    install -m 0755 "$here/backup.sh" /usr/local/sbin/swarm-backup
    install -m 0755 "$here/restore.sh" /usr/local/sbin/swarm-restore
    install -m 0644 "$here"/swarm-backup{,-mend}.service "$here/swarm-backup.timer" \
        /etc/systemd/system/
    systemctl daemon-reload
    systemctl enable --now swarm-backup.timer
fi
