## manager1
docker node ls
sudo systemctl stop docker

# `watch` is one look here. manager2 never joined, and says so.
## manager2
docker node ls

# Another manager, as the text says; one look after a while.
## worker1
sleep 20; docker node ls

## manager1
sudo systemctl start docker

# The leader is not stopped once more for it: that leaves nothing.
## worker1
docker service create --name test-ha --replicas 5 nginx:alpine
