"""``python -m driftloop_monitor``."""

from driftloop_monitor.bootstrap import main

if __name__ == "__main__":
    main()
