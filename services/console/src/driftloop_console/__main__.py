"""``python -m driftloop_console``."""

from driftloop_console.bootstrap import main

main()
