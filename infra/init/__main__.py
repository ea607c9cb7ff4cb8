"""``python -m driftloop_init``: may run as often as it likes; what is there is left, what differs is set right, topics excepted."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, MinioException
from urllib3.exceptions import HTTPError

from driftloop.adapters.kafka import check_topics, create_topics
from driftloop.adapters.kafka_rights import MECHANISM, give_rights, set_passwords
from driftloop.adapters.kafka_security import kafka_cluster
from driftloop.adapters.s3 import ensure_bucket
from driftloop.contracts.broker_rights import USERS, rights
from driftloop.contracts.services import RIGHTS
from driftloop.contracts.topics import CONTROL_TOPICS
from driftloop.errors import ConfigurationError, TransientError
from driftloop.service.process import EXIT_CONFIGURATION, EXIT_FAILED
from driftloop.settings import Environment, S3Settings, replication, s3_settings

from .policies import policy


def main() -> int:
    try:
        run(Environment("init"))
    except ConfigurationError as exc:
        sys.stderr.write(f"driftloop init: {exc}\n")
        return EXIT_CONFIGURATION
    except (TransientError, MinioException, MinioAdminException, HTTPError) as exc:
        sys.stderr.write(f"driftloop init: {exc}\n")
        return EXIT_FAILED
    return 0


def run(env: Environment) -> None:
    root = s3_settings(env)
    keys, kafka = Path(env.text("KEYS_DIR")), kafka_cluster(env)
    ensure_bucket(root)
    hand_out_keys(root, keys)
    if kafka.security.mechanism == MECHANISM:
        set_passwords(kafka, {user: _key(keys / f"{user}-kafka-password") for user in USERS})
    create_topics(kafka, CONTROL_TOPICS, replication=replication(env))
    check_topics(kafka, CONTROL_TOPICS, replication=replication(env))
    if kafka.security.encrypted:
        give_rights(kafka, rights(()), lambda user: f"User:{user}")  # those of a stream come with its project
    sys.stderr.write(f"driftloop init: bucket {root.bucket}, {len(RIGHTS)} keys, {len(CONTROL_TOPICS)} topics\n")


def hand_out_keys(root: S3Settings, keys: Path) -> None:
    """Every service's key and its rights. A user is set anew each time, so a changed secret or table takes effect."""
    url = urlsplit(root.endpoint)
    admin = MinioAdmin(
        endpoint=url.netloc,
        credentials=StaticProvider(root.access_key, root.secret_key),
        region=root.region,
        secure=url.scheme == "https",
    )
    for service, allowed in RIGHTS.items():
        access_key, secret_key = (_key(keys / f"{service}-{which}-key") for which in ("access", "secret"))
        admin.policy_add(f"driftloop-{service}", policy=policy(root.bucket, allowed))
        admin.user_add(access_key, secret_key)
        admin.policy_set(f"driftloop-{service}", user=access_key)


def _key(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigurationError(f"cannot read {file}: {exc.strerror}; make the secrets with infra/secrets.sh") from exc


if __name__ == "__main__":
    sys.exit(main())
