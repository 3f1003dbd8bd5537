## manager1
sudo systemctl stop docker
sudo tar -czvf swarm-backup-$(date +%Y%m%d).tar.gz \
  /var/lib/docker/swarm
sudo systemctl start docker
sudo tar -czvf volumes-backup-$(date +%Y%m%d).tar.gz \
  /var/lib/docker/volumes

# Its first line says that it is to be run; where it belongs and when it runs the text does not say.
## manager1
cat > backup-swarm.sh << 'EOF'
#!/bin/bash
# backup-swarm.sh

BACKUP_DIR="/backup/swarm"
DATE=$(date +%Y%m%d-%H%M%S)

# Créer le répertoire de backup
mkdir -p $BACKUP_DIR

# Backup du Raft
sudo systemctl stop docker
sudo tar -czf $BACKUP_DIR/swarm-$DATE.tar.gz /var/lib/docker/swarm
sudo systemctl start docker

# Backup des secrets (export)
docker secret ls -q | while read secret; do
    echo "Secret: $secret" >> $BACKUP_DIR/secrets-list-$DATE.txt
done

# Backup des configs
docker config ls -q | while read config; do
    docker config inspect $config > $BACKUP_DIR/config-$config-$DATE.json
done

# Backup de la topologie
docker node ls --format "{{.ID}} {{.Hostname}} {{.Status}} {{.Availability}}" \
  > $BACKUP_DIR/nodes-$DATE.txt

# Backup des services
docker service ls --format "{{.ID}} {{.Name}} {{.Replicas}}" \
  > $BACKUP_DIR/services-$DATE.txt

# Nettoyer les backups de plus de 7 jours
find $BACKUP_DIR -name "*.tar.gz" -mtime +7 -delete

echo "Backup completed: $DATE"
EOF
chmod +x backup-swarm.sh
sudo ./backup-swarm.sh

# "Détruire complètement le cluster" has no command, and a restore beside managers that are there
# makes two swarms of one. Undone.
