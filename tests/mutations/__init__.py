"""Guards taken out one at a time, in a copy of the tree: `python -m tests.mutations [--only NAME] [--list] [--document]`."""
