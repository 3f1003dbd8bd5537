# ecommerce-stack.yml is the lab's, word for word. db_password and nginx_config are there already,
# nobody has written the two files for nginx, and so the stack is refused.
## manager1
sudo mkdir -p /srv/nfs/swarm-data/{postgres,rabbitmq}
echo "postgresql://user:pass@postgres:5432/ecommerce" | docker secret create db_url -
echo "ecomuser" | docker secret create db_user -
echo "SecureDbPass123!" | docker secret create db_password -
echo "MyJWT_SecretKey_2024" | docker secret create jwt_secret -
echo "amqp://admin:pass@rabbitmq:5672/" | docker secret create rabbitmq_url -
echo "admin" | docker secret create rabbitmq_user -
echo "SecureRabbitPass123!" | docker secret create rabbitmq_password -
docker config create nginx_config nginx-frontend.conf
docker config create gateway_config nginx-gateway.conf
docker node update --label-add storage=nfs worker1
docker stack deploy -c ecommerce-stack.yml ecommerce

## manager1
docker stack ps ecommerce
docker stack services ecommerce
docker service ls
docker node ls

# What he sees by now: the database of 2.5 has not come up.
## manager1
sleep 60; docker stack ps wp
