"""The init job of docker-compose.yml: a bucket, one key per service with the least rights, the topics that all streams share."""
