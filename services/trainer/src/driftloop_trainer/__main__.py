"""``python -m driftloop_trainer``."""

from driftloop_trainer.bootstrap import main

main()
