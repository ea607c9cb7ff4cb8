"""A type that several threads use for the first time at once."""

import subprocess
import sys
import textwrap

import pytest

RACE = textwrap.dedent(
    """
    import sys
    import threading

    import msgspec
    from driftloop.contracts.typed import prepared

    sys.setswitchinterval(1e-6)
    for _ in range(100):
        parts = [msgspec.defstruct(f"Part{i}", [(f"f{j}", int) for j in range(5)]) for i in range(5)]
        kind = msgspec.defstruct("Whole", [(f"p{i}", part) for i, part in enumerate(parts)])
        value = {f"p{i}": {f"f{j}": 1 for j in range(5)} for i in range(5)}
        found, start = [], threading.Barrier(8)

        def convert():
            start.wait()
            found.append(msgspec.convert(value, KIND))

        threads = [threading.Thread(target=convert) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8 and all(one == found[0] for one in found)
    """
)


def race(kind: str) -> int:
    # a process of its own, for it may end in a segmentation fault
    return subprocess.run([sys.executable, "-c", RACE.replace("KIND", kind)], capture_output=True, check=False).returncode


@pytest.mark.timeout(300)
def test_threads_may_use_a_type_for_the_first_time_at_once() -> None:
    assert race("prepared(kind)") == 0


@pytest.mark.timeout(300)
def test_the_reason_for_it_is_still_there() -> None:
    """When this fails, msgspec was mended and `driftloop.contracts.typed` can go."""
    assert any(race("kind") != 0 for _ in range(20))
