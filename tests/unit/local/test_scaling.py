"""Other instance counts for a stack that runs: processes come and go, and what stays is not touched."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ports import free_port_base

from driftloop.local.errors import LocalStackError
from driftloop.local.identity import identity
from driftloop.local.instances import Instance, instances_of
from driftloop.local.stack import LocalStack
from driftloop.local.supervisor import Supervisor


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    """Without Kafka and S3, and with a predictor that does nothing."""
    module = tmp_path / "modules" / "driftloop_predictor"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "__main__.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), os.environ.get("PYTHONPATH", "")]))
    made = LocalStack(tmp_path / "home", free_port_base(), services={})
    made._s3.prepare()
    made.services = Supervisor([])
    made.services.start()
    yield made
    made.stop()


def test_a_stack_that_runs_gets_more_instances_and_fewer(stack: LocalStack) -> None:
    stack.change(instances_of({"predictor": 1}))
    first = stack.addresses().pids["predictor-0"]

    stack.change(instances_of({"predictor": 3}))
    grown = stack.addresses()
    stack.change(instances_of({"predictor": 1}))
    shrunk = stack.addresses()

    assert list(grown.services) == ["predictor-0", "predictor-1", "predictor-2"]
    assert len({grown.pids[name] for name in grown.services}) == 3
    assert list(shrunk.services) == ["predictor-0"]
    assert grown.pids["predictor-0"] == shrunk.pids["predictor-0"] == first
    assert identity(first) is not None
    assert identity(grown.pids["predictor-2"]) is None


def test_counts_that_no_stack_can_run_change_nothing(stack: LocalStack) -> None:
    stack.change(instances_of({"predictor": 1}))

    with pytest.raises(LocalStackError, match="predictor=11"):
        stack.change([Instance("predictor", number) for number in range(11)])

    assert list(stack.addresses().services) == ["predictor-0"]
