# myapi is in no registry, postgres:15 not on these machines' disks; it would get no password either.
## manager1
cat > health-stack.yml << 'EOF'
version: '3.8'

services:
  web:
    image: nginx:alpine
    deploy:
      replicas: 3
      update_config:
        parallelism: 1
        delay: 10s
        failure_action: rollback
        monitor: 30s
      restart_policy:
        condition: on-failure
        delay: 5s
        max_attempts: 3
        window: 120s
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost/"]
      interval: 30s
      timeout: 3s
      retries: 3
      start_period: 40s

  api:
    image: myapi:latest
    deploy:
      replicas: 5
    healthcheck:
      test: ["CMD-SHELL", "wget --no-verbose --tries=1 --spider http://localhost:8080/health || exit 1"]
      interval: 10s
      timeout: 5s
      retries: 5
      start_period: 30s

  database:
    image: postgres:15
    deploy:
      replicas: 1
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U postgres"]
      interval: 10s
      timeout: 5s
      retries: 5
EOF
docker stack deploy -c health-stack.yml health

## manager1, Ctrl-C after 60 s
docker service create \
  --name test-health \
  --replicas 3 \
  --health-cmd "curl -f http://localhost/ || exit 1" \
  --health-interval 10s \
  --health-retries 3 \
  --health-timeout 5s \
  --health-start-period 10s \
  nginx:alpine

# On the machine where one is.
## worker2
docker ps | grep test-health
docker exec $(docker ps --quiet --filter name=test-health | head -n 1) sh -c "rm /usr/share/nginx/html/index.html"
