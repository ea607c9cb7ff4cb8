"""What a home says of its stack, where none of its servers is asked."""

from pathlib import Path
from typing import Any

from driftloop.local.addresses import StackAddresses


def stack_addresses(home: Path, **known: Any) -> StackAddresses:
    """Empty addresses, but for what is ``known``."""
    empty = dict.fromkeys(
        ("kafka_bootstrap", "s3_endpoint", "s3_access_key_file", "s3_secret_key_file", "s3_region", "s3_bucket", "registry_url"), ""
    )
    return StackAddresses(**{"home": str(home), "port_base": 29000, **empty, **known})
