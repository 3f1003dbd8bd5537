## manager1
cat > nginx.conf << 'EOF'
server {
    listen 80;
    server_name example.com;

    location / {
        proxy_pass http://backend:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
    }
}
EOF

docker config create nginx_config nginx.conf

# Deployed as 2.5 has shown it; the text gives no command.
## manager1
cat > nginx-stack.yml << 'EOF'
version: '3.8'

services:
  nginx:
    image: nginx:alpine
    ports:
      - "80:80"
    configs:
      - source: nginx_config
        target: /etc/nginx/conf.d/default.conf
    networks:
      - frontend

configs:
  nginx_config:
    external: true

networks:
  frontend:
    driver: overlay
EOF
docker stack deploy -c nginx-stack.yml nginx

# A service of a stack has the stack's name before its own: as it stands it is refused.
## manager1
cat > nginx-v2.conf << 'EOF'
server {
    listen 80;
    server_name example.com;

    location / {
        proxy_pass http://backend:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;

        # Nouvelles options
        proxy_cache_bypass $http_upgrade;
        proxy_http_version 1.1;
    }
}
EOF

docker config create nginx_config_v2 nginx-v2.conf
docker service update \
  --config-rm nginx_config \
  --config-add source=nginx_config_v2,target=/etc/nginx/conf.d/default.conf \
  nginx

# 2.10 shows such a name, ecommerce_products-service. The proxy finds no `backend`, before and after.
## manager1, Ctrl-C after 30 s
docker service update \
  --config-rm nginx_config \
  --config-add source=nginx_config_v2,target=/etc/nginx/conf.d/default.conf \
  nginx_nginx

# Files that nobody has written, an image that nobody has made. Undone.
## manager1
docker config create app_config_dev app-dev.yml
docker config create app_config_prod app-prod.yml
docker service create \
  --name myapp \
  --config source=app_config_prod,target=/app/config.yml \
  myapp:latest
