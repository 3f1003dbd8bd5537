# db_password is there since 2.5, and the engine says so.
## manager1
echo "MonSuperMotDePasse" | docker secret create mysql_root_password -
echo "user:password:1000:1000:User Name:/home/user:/bin/bash" > passwd
docker secret create passwd_file passwd
rm passwd
export DB_PASS="SecurePassword123"
echo "$DB_PASS" | docker secret create db_password -
docker secret ls
docker secret inspect mysql_root_password

# No `secrets:` at the file's end: refused. myapp is in no registry besides. Undone.
## manager1
cat > app-stack.yml << 'EOF'
version: '3.8'

services:
  app:
    image: myapp:latest
    secrets:
      - source: db_password
        target: /run/secrets/db_pass
        mode: 0400
    environment:
      DB_PASSWORD_FILE: /run/secrets/db_pass
EOF
docker stack deploy -c app-stack.yml app

# There is no myapp to rotate a secret of, and who uses the secret keeps it from being removed.
## manager1
echo "NewPassword456" | docker secret create db_password_v2 -
docker service update \
  --secret-rm db_password \
  --secret-add db_password_v2 \
  myapp
docker secret rm db_password
