## manager1, Ctrl-C after 30 s
sudo apt-get update

## manager1
sudo apt-get install -y nfs-kernel-server
sudo mkdir -p /srv/nfs/swarm-data
sudo chown nobody:nogroup /srv/nfs/swarm-data
sudo chmod 777 /srv/nfs/swarm-data
echo "/srv/nfs/swarm-data 192.168.56.0/24(rw,sync,no_subtree_check,no_root_squash)" | sudo tee -a /etc/exports
sudo exportfs -ra
sudo systemctl restart nfs-kernel-server

# "sur tous les nœuds": those that `docker node ls` lists.
## manager1 manager3 worker1 worker2
sudo apt-get install -y nfs-common
sudo mkdir -p /mnt/nfs/swarm-data
sudo mount 192.168.56.10:/srv/nfs/swarm-data /mnt/nfs/swarm-data
echo "192.168.56.10:/srv/nfs/swarm-data /mnt/nfs/swarm-data nfs defaults 0 0" | sudo tee -a /etc/fstab

# No password here either.
## manager1, Ctrl-C after 20 s
docker service create \
  --name db-nfs \
  --mount type=bind,source=/mnt/nfs/swarm-data,target=/var/lib/postgresql/data \
  --replicas 1 \
  postgres:15-alpine

# Option B begins with a download from a host that is gone. Undone.
