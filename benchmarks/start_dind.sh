#!/bin/sh
# The naive way to a swarm of 3 + 2 in containers: what benchmarks/start_dind.py compares with.
# Usage: start_dind.sh IMAGE NAME. Prints "ready" when every node is; removes all at the end of input.
set -eu
image=$1 name=$2
nodes="manager1 manager2 manager3 worker1 worker2"

remove() {
    for node in $nodes; do docker rm --force --volumes "$name-$node" > /dev/null 2>&1 & done
    wait
    docker network rm "$name" > /dev/null 2>&1
}
trap remove EXIT

docker network create "$name" > /dev/null
for node in $nodes; do
    docker run --detach --tty --name "$name-$node" --hostname "$node" --network "$name" \
        --cap-add ALL --cap-drop SYS_RESOURCE --cap-drop SYS_TIME --device-cgroup-rule 'a *:* rwm' \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
        --security-opt systempaths=unconfined --cgroupns private \
        --tmpfs /run:exec,mode=0755 --volume /srv/swarmlab "$image" > /dev/null &
done
wait
for node in $nodes; do
    until docker exec "$name-$node" docker info > /dev/null 2>&1; do sleep 0.1; done
done
docker exec "$name-manager1" docker swarm init > /dev/null
address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$name-manager1")
for node in manager2 manager3 worker1 worker2; do
    token=$(docker exec "$name-manager1" docker swarm join-token --quiet "${node%[0-9]}")
    docker exec "$name-$node" docker swarm join --token "$token" "$address:2377" > /dev/null
done
until [ "$(docker exec "$name-manager1" docker node ls --format '{{.Status}}' | grep -c Ready)" = 5 ]; do
    sleep 0.1
done
echo ready
read -r _ || true
