"""`python -m driftloop.local.prefetch`: download Kafka and make its start cache, so that later starts need no network."""

import sys

from driftloop.local.aot import ensure_aot_cache
from driftloop.local.errors import LocalStackError
from driftloop.local.paths import cache_dir, default_home


def main() -> int:
    try:
        ensure_aot_cache(cache_dir(default_home()))
    except LocalStackError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
