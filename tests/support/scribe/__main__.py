"""As ``python -m driftloop_scribe`` once it is copied there, see ``tests.support.small_service``."""

from .bootstrap import main

main()
