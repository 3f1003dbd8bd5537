# No password is given, and the client waits for a task that never stays.
## manager1, Ctrl-C after 20 s
docker service create \
  --name db-local \
  --mount type=volume,source=mydata,target=/data \
  --constraint 'node.hostname==worker1' \
  postgres:15-alpine

# No container to connect to, neither here nor there; the text says nothing of a password. No row is
# written.
## manager1 worker1
docker ps

# Noticed: it fails on. Not noticed: what was to be seen could not be.
## manager1, Ctrl-C after 15 s
docker service update --constraint-rm 'node.hostname==worker1' db-local
