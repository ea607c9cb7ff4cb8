"""The settings that a stack gives to a service, as environment variables."""

from pathlib import Path

from driftloop.contracts.services import CONSOLE, NOTIFIER, Service
from driftloop.local.addresses import StackAddresses, addresses_path
from driftloop.local.instances import Instance


def service_environment(addresses: StackAddresses, service: Service, instance: Instance, state_dir: Path, http_port: int) -> dict[str, str]:
    """`DRIFTLOOP_<SERVICE>_<NAME>`: read back by `driftloop.service.settings`."""
    settings = {
        "INSTANCE": instance.name,
        "KAFKA_BOOTSTRAP": addresses.kafka_bootstrap,
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(http_port),
        "HTTP_NAMES": "localhost",
        "STATE_DIR": str(state_dir),
    }
    if instance.project is not None:
        settings["PROJECT"] = instance.project
    if service.rights is not None:
        settings |= {
            "S3_ENDPOINT": addresses.s3_endpoint,
            "S3_BUCKET": addresses.s3_bucket,
            "S3_REGION": addresses.s3_region,
            "S3_ACCESS_KEY_FILE": addresses.s3_access_key_file,
            "S3_SECRET_KEY_FILE": addresses.s3_secret_key_file,
        }
    if service is CONSOLE:
        settings |= {"REGISTRY_URL": addresses.registry_url, "SERVICES": str(addresses_path(Path(addresses.home)))}
    if service is NOTIFIER:
        console = next((url for name, url in addresses.services.items() if name.startswith(f"{CONSOLE.name}-")), "")
        settings |= {
            "SECRETS_DIR": str(notification_secrets(Path(addresses.home))),
            "SERVICES": str(addresses_path(Path(addresses.home))),
            "CONSOLE_URL": console,
        }
    return {f"DRIFTLOOP_{service.name.upper()}_{name}": value for name, value in settings.items()} | dict(service.variables)


def notification_secrets(home: Path) -> Path:
    """The folder of the secrets that rules of ``[[notify]]`` name: a person puts them there, a file each."""
    return home / "notifications"
