"""Rates from looks at a process, and the clocks below them."""

import itertools
import os
import subprocess
import sys

import pytest
from bench import clocks
from bench.clocks import BenchError, Sample, cpu_seconds, rates, repeated, spending, watch


def test_the_rate_leaves_out_what_was_spent_before_the_backlog_was_begun() -> None:
    starting = [Sample(0, 5.0, 9.0), Sample(0, 7.0, 12.0)]
    found = rates([*starting, Sample(100, 8.0, 13.0), Sample(500, 9.0, 15.0), Sample(1000, 10.0, 18.0)])
    assert found.per_cpu_second == pytest.approx(900 / 2.0)
    assert found.per_second == pytest.approx(900 / 5.0)


def test_the_rate_starts_past_the_first_tenth() -> None:
    found = rates([Sample(50, 1.0, 1.0), Sample(200, 2.0, 2.0), Sample(1000, 4.0, 4.0)])
    assert found.per_cpu_second == pytest.approx(800 / 2.0)


@pytest.mark.parametrize("samples", [[Sample(1000, 1.0, 1.0)], [Sample(0, 1.0, 1.0), Sample(1000, 2.0, 2.0)]])
def test_a_backlog_that_is_gone_between_two_looks_gives_no_rate(samples: list[Sample]) -> None:
    with pytest.raises(BenchError, match="take a larger one"):
        rates(samples)


def test_watching_ends_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "PERIOD_SECONDS", 0.0)
    done = itertools.count(1)
    samples = watch(os.getpid(), lambda: next(done), 3)
    assert [sample.done for sample in samples] == [1, 2, 3]
    assert samples[-1].cpu >= samples[0].cpu > 0


def test_watching_gives_up_on_a_backlog_that_does_not_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "PERIOD_SECONDS", 0.001)
    monkeypatch.setattr(clocks, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(BenchError, match="only 2 of 3 done"):
        watch(os.getpid(), lambda: 2, 3)


def test_the_cpu_time_of_a_process_that_has_ended_is_an_error_with_a_reason() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    with pytest.raises(BenchError, match=str(ended.pid)):
        cpu_seconds(ended.pid)


def test_spending_stands_still_after_its_block() -> None:
    with spending() as spent:
        sum(range(100_000))
    first = spent()
    sum(range(100_000))
    assert spent() == first
    assert first.cpu > 0


def test_repeated_work_is_counted_in_units_per_cpu_second() -> None:
    calls = []
    assert repeated(lambda: calls.append(sum(range(50_000))), 10, seconds=0.02) > 10
    assert len(calls) > 1
