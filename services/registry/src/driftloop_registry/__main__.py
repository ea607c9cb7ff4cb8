"""``python -m driftloop_registry``."""

from driftloop_registry.bootstrap import main

main()
