"""A training tells of its progress in lines, among whatever users' code prints."""

import io

import msgspec
import pytest

from driftloop.training.job import RunProgress
from driftloop.training.process import _listen


@pytest.mark.parametrize(
    "printed", [b"hello", b"", b"\xff\x00", b'{"step":"\xff"}', b'{"x":' + b"[" * 100_000, b'{"rows":' + b"1" * 5000 + b"}"]
)
def test_whatever_a_pipeline_prints_the_progress_behind_it_is_told(printed: bytes) -> None:
    step, told = RunProgress(step="measured", recipe="all"), list[RunProgress]()
    _listen(io.BytesIO(printed + b"\n" + msgspec.json.encode(step) + b"\n"), told.append)
    assert told == [step]
