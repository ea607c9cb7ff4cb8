"""The command: which measurements run, what it prints, and that it leaves nothing behind."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bench.__main__ import MEASUREMENTS, ON_REQUEST, Measure, main
from bench.clocks import BenchError
from bench.figures import Figure, Limit
from bench.surroundings import Surroundings

FIGURE = Figure(name="made-up", what="nothing", value=1.0, unit="s", limit=Limit("nothing else", 2.0))


class Measured:
    """Stands in for the measurements; notes what was asked for, and the folder that it was given."""

    def __init__(self, failing: str | None = None, error: BaseException | None = None) -> None:
        self.asked: list[str] = []
        self.folders: set[Path] = set()
        self._failing, self._error = failing, error or BenchError("the broker is away")

    def load(self, name: str) -> Measure:
        def measure(around: Surroundings) -> list[Figure]:
            assert around.folder.is_dir()
            self.asked.append(name)
            self.folders.add(around.folder)
            if name == self._failing:
                raise self._error
            return [FIGURE]

        return measure


def test_every_measurement_runs_unless_some_are_named() -> None:
    every, some = Measured(), Measured()
    assert main([], every.load) == 0
    assert main(["ingest", "monitor"], some.load) == 0
    assert every.asked == list(MEASUREMENTS)
    assert main(list(ON_REQUEST), (long := Measured()).load) == 0
    assert long.asked == list(ON_REQUEST)
    assert some.asked == ["ingest", "monitor"]


def test_the_temporary_folder_is_gone_afterwards() -> None:
    measured = Measured(failing="ingest")
    main(["ingest"], measured.load)
    assert [folder.exists() for folder in measured.folders] == [False]


def test_an_unknown_name_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["speed"], Measured().load)
    assert stopped.value.code == 2
    assert "no measurement speed: choose from split-hash, monitor" in capsys.readouterr().err


def test_a_measurement_that_fails_is_said_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Measured(failing="monitor")
    assert main(["monitor", "ingest", "--json"], measured.load) == 1
    report = msgspec.json.decode(capsys.readouterr().out)
    assert report["failed"] == {"monitor": "the broker is away"}
    assert [found["name"] for found in report["figures"]] == ["made-up"]


def test_a_fault_in_one_measurement_does_not_lose_the_figures_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Measured(failing="monitor", error=BrokenPipeError(32, "Broken pipe"))
    assert main(["ingest", "monitor", "--json"], measured.load) == 1
    captured = capsys.readouterr()
    report = msgspec.json.decode(captured.out)
    assert [found["name"] for found in report["figures"]] == ["made-up"]
    assert "Broken pipe" in report["failed"]["monitor"]
    assert "Traceback" in captured.err


def test_an_interrupt_ends_the_run_and_keeps_the_figures_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Measured(failing="monitor", error=KeyboardInterrupt())
    assert main(["ingest", "monitor", "predictor", "--json"], measured.load) == 130
    report = msgspec.json.decode(capsys.readouterr().out)
    assert [found["name"] for found in report["figures"]] == ["made-up"]
    assert report["failed"] == {"monitor": "interrupted"}
    assert measured.asked == ["ingest", "monitor"]


def test_a_figure_is_said_as_soon_as_it_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(_around: Surroundings) -> Iterator[Figure]:
        yield FIGURE
        assert "made-up" in capsys.readouterr().err
        raise BenchError("the rest cannot be measured")

    assert main(["ingest", "--json"], lambda _name: measure) == 1
    report = msgspec.json.decode(capsys.readouterr().out)
    assert [found["name"] for found in report["figures"]] == ["made-up"]


def test_the_report_alone_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    main(["ingest"], Measured(failing="ingest").load)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["name  figure  unit  limit  ratio  aim"]
    assert "ingest: not measured: the broker is away" in captured.err


@pytest.mark.parametrize("module", MEASUREMENTS.values())
def test_every_name_has_its_module(module: str) -> None:
    assert importlib.util.find_spec(module) is not None
