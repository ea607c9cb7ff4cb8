"""Whoever starts a stack is told what the start waits for, then its answer, and nothing after that."""

import logging
import os

import pytest

from driftloop.local.__main__ import _Status, _Told
from driftloop.local.background import _answer


@pytest.mark.parametrize(
    "answer", ["ready", "error: kafka ended with code 1; the end of its log:\nprogress: is no progress\n\nthe end", ""]
)
def test_progress_comes_before_the_answer_which_stays_whole(answer: str) -> None:
    reader, writer = os.pipe()
    status, told = _Status(writer), []
    status.tell("waiting for kafka")
    status.tell("s3 died; its log:\nmany lines")
    if answer:
        status.say(answer)
    else:
        os.close(writer)  # the supervisor died
    with os.fdopen(reader, "rb") as pipe:
        assert _answer(pipe, told.append) == answer
    assert told == ["waiting for kafka", "s3 died; its log:"]


def test_after_the_answer_nothing_is_written_to_a_descriptor_that_may_be_another_files() -> None:
    (reader, writer), (others_reader, others_writer) = os.pipe(), os.pipe()
    status = _Status(writer)
    status.say("ready")
    os.dup2(others_writer, writer)  # the number is in use again
    status.tell("too late")
    status.say("too late")
    for descriptor in (writer, others_writer):
        os.close(descriptor)
    assert os.read(others_reader, 100) == b""
    for descriptor in (reader, others_reader):
        os.close(descriptor)


def test_what_the_supervisor_logs_is_progress_until_nobody_waits() -> None:
    reader, writer = os.pipe()
    handler = _Told(_Status(writer))
    handler.handle(logging.makeLogRecord({"msg": "waiting for %s", "args": ("kafka",), "levelno": logging.INFO}))
    assert os.read(reader, 100) == b"progress: waiting for kafka\n"
    os.close(reader)
    handler.handle(logging.makeLogRecord({"msg": "waiting for %s", "args": ("s3",), "levelno": logging.INFO}))
    os.close(writer)
