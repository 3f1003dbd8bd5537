#!/bin/bash
# Avant les stacks, sur manager1 : partage NFS et ses répertoires, labels, secrets, configs.
set -euo pipefail

readonly SHARE=/srv/nfs/swarm-data
here=$(cd -- "$(dirname -- "$0")/.." && pwd)

# -- le partage NFS (exercice 2.4) ---------------------------------------------------------------

# Un répertoire par service : une base change le mode du sien.
mkdir -p "$SHARE"/{mysql,wordpress,postgres,rabbitmq}
chown nobody:nogroup "$SHARE"
chmod 777 "$SHARE"
line="$SHARE 192.168.56.0/24(rw,sync,no_subtree_check,no_root_squash)"
grep -qxF "$line" /etc/exports || printf '%s\n' "$line" >>/etc/exports
# Les verrous d'un client perdu : rendus après 20 s au lieu de 90.
mkdir -p /etc/nfs.conf.d
printf '[nfsd]\nlease-time=20\ngrace-time=20\n' >/etc/nfs.conf.d/swarm.conf
systemctl enable nfs-server
systemctl restart nfs-server
exportfs -ra

# -- labels : tous les nœuds où une base peut aller ----------------------------------------------

for node in worker1 worker2 manager3; do
    docker node update --label-add storage=nfs "$node"
done

# -- secrets : jamais dans un fichier, jamais de retour à la ligne ---------------------------------

random() { head -c 24 /dev/urandom | base64 -w0 | tr '+/' '-_'; }

secret() {
    docker secret inspect "$1" >/dev/null 2>&1 || docker secret create "$1" - >/dev/null
}

for name in db_root_password db_password health_db_password db_admin_password db_password_v1 \
    api_key jwt_secret redis_password; do
    random | secret "$name"
done
# Les huit clés et sels de WordPress, les mêmes pour toutes les répliques.
for use in auth secure_auth logged_in nonce; do
    for kind in key salt; do
        random | secret "wordpress_${use}_${kind}"
    done
done

# Ceux de la boutique se citent l'un l'autre : ils sont faits ensemble, ou sont déjà là.
if ! docker secret inspect db_url >/dev/null 2>&1; then
    database=$(random) broker=$(random)
    printf '%s' ecomuser | secret shop_db_user
    printf '%s' "$database" | secret shop_db_password
    printf 'amqp://shop:%s@rabbitmq:5672/' "$broker" | secret rabbitmq_url
    printf 'default_user = shop\ndefault_pass = %s\n' "$broker" | secret rabbitmq_conf
    printf 'postgresql://ecomuser:%s@postgres:5432/ecommerce' "$database" | secret db_url
fi

# Le certificat du site : la clé n'est jamais sur un disque.
if ! docker secret inspect site_key_v1 >/dev/null 2>&1; then
    place=$(mktemp -d /run/site.XXXXXX)
    trap 'rm -rf -- "$place"' EXIT
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=example.com \
        -keyout "$place/site.key" -out "$place/site.crt" 2>/dev/null
    secret site_certificate_v1 <"$place/site.crt"
    secret site_key_v1 <"$place/site.key"
fi

# -- configs : une version dans le nom -------------------------------------------------------------

config() {
    docker config inspect "$1" >/dev/null 2>&1 ||
        docker config create "$1" "$here/stacks/configs/$2" >/dev/null
}

config nginx_config nginx.conf
config nginx_config_v2 nginx-v2.conf
config backend_config backend.conf
