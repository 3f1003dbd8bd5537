## manager1
docker node ls
docker node promote worker1

# As it stands there: on the new machine, which is in no swarm and says so.
## manager3
docker swarm join-token manager

# "depuis manager1" stands above the command.
## manager1
docker swarm join-token manager

## manager3
docker swarm join --token SWMTKN-1-xxxxx-manager 192.168.56.10:2377

## manager1
docker node ls
