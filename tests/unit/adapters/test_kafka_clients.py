"""A broker that is away leaves no thread behind: a service asks again and again until it is back."""

import gc
import threading

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from tests.support.ports import free_port_base

from driftloop.adapters.kafka_clients import connected
from driftloop.errors import TransientError


@pytest.mark.parametrize("kind", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
def test_a_client_that_reaches_no_broker_leaves_no_thread_and_no_socket(kind: type) -> None:
    before = set(threading.enumerate())
    with pytest.raises((KafkaError, TransientError)):
        connected(kind, f"127.0.0.1:{free_port_base()}", bootstrap_timeout_ms=300, client_id="nobody-there")
    assert set(threading.enumerate()) <= before
    gc.collect()  # a socket that nobody closed is told here, as a warning, and those are errors
