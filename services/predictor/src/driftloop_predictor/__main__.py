"""``python -m driftloop_predictor``."""

import os


def main() -> None:
    # Two OpenMP threads on a busy machine make one row take ten times as long; read when scikit-learn is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from driftloop_predictor import bootstrap

    bootstrap.main()


if __name__ == "__main__":
    main()
