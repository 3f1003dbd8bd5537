# Lab 1, which this lab begins after: one manager, two workers. manager2 and manager3 are machines
# without a swarm.

## manager1
docker swarm init --advertise-addr 192.168.56.10

## worker1 worker2
docker swarm join --token SWMTKN-1-xxxxx-worker 192.168.56.10:2377
