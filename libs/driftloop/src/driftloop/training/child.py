"""The training process: ``python -m driftloop.training.child``.

Imports what a training needs, reads the path of its work directory as one line of standard input, reads the job there,
writes a result, prints its progress as JSON lines. It ends with its parent, whose end of the standard input closes. The
parent sets hash seed and thread counts (``environment.child_variables``) and may kill it at any time.
"""

import os
import queue
import signal
import sys
import threading
import warnings
from pathlib import Path


def _listen(told: "queue.SimpleQueue[str]") -> None:
    """Hand on the line that names the work directory; end when the parent does."""
    told.put(sys.stdin.buffer.readline().decode().rstrip("\n"))
    sys.stdin.buffer.read()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)  # with whatever processes the user's code has started
    os._exit(1)


def main() -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(told,), name="parent-watch", daemon=True).start()
    # imported under the watch: on a busy machine scikit-learn alone takes many seconds, in which the parent may die
    from driftloop.training.job import RESULT_FILE, write_json
    from driftloop.training.run_job import run_job

    warnings.simplefilter("ignore")  # a pipeline's warnings are for its author, not for the log
    folder = Path(told.get())
    os.chdir(folder)
    write_json(folder / RESULT_FILE, run_job(folder))
    sys.stdout.flush()
    os._exit(0)  # threads of the user's code must not hold up the end


if __name__ == "__main__":
    main()
