"""Ports: one range per stack, and a taken one is named before anything starts."""

import socket
from pathlib import Path

import pytest
from tests.support.ports import free_port_base

from driftloop.local.errors import LocalStackError
from driftloop.local.instances import ONE_OF_EACH, instances_of
from driftloop.local.port_numbers import StackPorts, check_free
from driftloop.local.stack import LocalStack


def test_no_two_components_share_a_port() -> None:
    counts = dict.fromkeys(ONE_OF_EACH, 10) | {"registry": 1, "notifier": 1}

    wanted = StackPorts(29000).wanted(instances_of(counts))

    assert len(wanted) == 2 + 8 + 1 + 5 * 10 + 1


def test_a_taken_port_is_named_with_its_component_and_the_setting() -> None:
    base = free_port_base()
    ports = StackPorts(base)
    with socket.create_server(("127.0.0.1", ports.service("monitor", 1))), pytest.raises(LocalStackError) as error:
        check_free(ports.wanted(instances_of({"monitor": 2})))

    assert str(error.value).startswith(f"port taken: {base + 41} (for monitor-1);")
    assert "--port-base" in str(error.value)


def test_a_stack_whose_port_is_taken_starts_nothing(tmp_path: Path) -> None:
    base = free_port_base()
    home = tmp_path / "home"
    with socket.create_server(("127.0.0.1", base)), pytest.raises(LocalStackError, match="for kafka"):
        LocalStack(home, base).start_infrastructure()

    assert not home.exists()


@pytest.mark.parametrize("base", [80, 65_500])
def test_a_base_outside_the_usable_range_is_refused(base: int) -> None:
    with pytest.raises(LocalStackError, match="--port-base"):
        StackPorts(base)
