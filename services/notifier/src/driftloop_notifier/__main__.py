"""``python -m driftloop_notifier``."""

from driftloop_notifier.bootstrap import main

main()
