"""``python -m driftloop.cli``: the same as ``driftloop``, where the package is not installed but on the path."""

from driftloop.cli.main import main

if __name__ == "__main__":
    main()
