"""The local stack: a real Kafka, a real S3 server and the services, with Python alone."""
