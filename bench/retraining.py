"""What a retraining costs beside its bare fits: reading, converting, scoring, resampling, checking and writing are the rest."""

from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
from threadpoolctl import threadpool_limits

from bench.clocks import spending
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.artifact import skops_file
from driftloop.artifact.event_time import with_event_time
from driftloop.contracts.values import TrainingPins, Window
from driftloop.demo.example import DATA, example_folder
from driftloop.demo.flights import read_flights
from driftloop.lake.split import SplitRule
from driftloop.project.model import Project
from driftloop.project.reading import read_project
from driftloop.project.recipes import Member, parse_recipe
from driftloop.training.fit import TrainingRows, fit, without_empty
from driftloop.training.job import CHAMPION_FILE, ROWS_FILE, FittedOn, Job
from driftloop.training.recipe_fits import RecipeFits
from driftloop.training.recipes import weights
from driftloop.training.run import TrainingRun
from driftloop.training.user_code import load_build

WINDOWS = 10  # half of the year; the last of them is the one that candidates are judged on
THREADS = 1  # on a busy machine two wait for each other
TIMES = 3
RECIPES = {
    "plain": ("all", "last:5", "last:2"),
    "mean": ("all", "last:2", "mean:[all, all+time, decay:4]"),
}


class _Retraining:
    """One job over the flights, with a champion that was fitted on all that came before the judged window."""

    def __init__(self, around: Surroundings, name: str, candidates: tuple[str, ...]) -> None:
        project = read_project(example_folder())
        cuts = project.windows.cuts
        self.judged = Window(start=cuts[WINDOWS - 1], end=cuts[WINDOWS])
        self.folder = around.folder / f"retraining-{name}"
        self.folder.mkdir()
        self.project: Project = msgspec.structs.replace(project, training=msgspec.structs.replace(project.training, candidates=candidates))
        table = _labelled(self.project, self.judged.end)
        with pa.ipc.new_file(str(self.folder / ROWS_FILE), table.schema) as writer:
            writer.write_table(table)
        self.build = load_build(project.files, self.folder / "bare")
        self.rows = TrainingRows(table, self.project)
        self.fits = RecipeFits(self.build, self.rows, project.windows, seed=0, threads=THREADS)
        champion = fit(self.build, self.rows, self.rows.between(None, self.judged.start), seed=0, threads=THREADS)
        (self.folder / CHAMPION_FILE).write_bytes(skops_file.dump(champion))

    def whole(self) -> str:
        """The run as the training process makes it, from its files to a version's files; the recipe that won."""
        with pa.memory_map(str(self.folder / ROWS_FILE)) as source:
            rows = TrainingRows(pa.ipc.open_file(source).read_all(), self.project)
            return TrainingRun(self._job(), self.project, rows, self.folder, lambda _: None).run().recipe

    def prepared(self, won: str) -> list[tuple[Any, Any, dict[str, Any]]]:
        """What scikit-learn is given in each fit that the run cannot do without: of the candidates' members those that differ in
        rows, weights or time, then the members of the recipe that won, with the judged window."""
        compared = {}
        for member in (member for text in self.project.training.candidates for member in parse_recipe(text).members):
            mask = self.fits.mask(member, self.judged.start)
            compared.setdefault((member.weighted and member.windows, member.time, mask.tobytes()), member)
        before = [self._input(member, self.judged.start) for member in compared.values()]
        return [*before, *(self._input(member, self.judged.end) for member in parse_recipe(won).members)]

    def _input(self, member: Member, end: datetime) -> tuple[Any, Any, dict[str, Any]]:
        mask = self.fits.mask(member, end) & ~self.rows.held_out
        frame = without_empty(self.rows.frame[mask], self.project.schema)
        if member.time:
            frame = with_event_time(frame, self.rows.days[mask])
        weighing = weights(member, self.project.windows, self.rows.times, end)
        step = self.build().steps[-1][0]
        return frame, self.rows.labels[mask], {} if weighing is None else {f"{step}__sample_weight": weighing[mask]}

    def _job(self) -> Job:
        project, judged = self.project, self.judged
        pins = TrainingPins(
            snapshot="a" * 64,
            project=project.digest(),
            environment="c" * 64,
            code="bench",
            seed=0,
            threads=THREADS,
            evaluation_window=judged,
            champion_version=1,
            champion_epoch=1,
        )
        split = SplitRule(key=project.split_key, salt=project.split_salt)
        return Job(
            model=project.model,
            request_id="r1",
            pins=pins,
            end=judged.end,
            has_champion=True,
            champion_fitted_on=FittedOn(training_start=None, training_end=judged.start, split=split),
        )


def measure(around: Surroundings) -> list[Figure]:
    """The least of several times, of each by turns: what another process takes of the machine is neither's."""
    return [_measure(around, name, candidates) for name, candidates in RECIPES.items()]


def _measure(around: Surroundings, name: str, candidates: tuple[str, ...]) -> Figure:
    retraining = _Retraining(around, name, candidates)
    whole, bare, won = [], [], ""
    with threadpool_limits(THREADS):
        for n in range(TIMES):
            around.say(f"retraining with {', '.join(candidates)}: {n + 1} of {TIMES}")
            with spending() as spent:
                won = retraining.whole()
            whole.append(spent().cpu)
            prepared = retraining.prepared(won)
            with spending() as spent:
                for frame, labels, weighing in prepared:
                    retraining.build().fit(frame, labels, **weighing)
            bare.append(spent().cpu)
    return Figure(
        name=f"retraining-{name}",
        what=f"a run over {retraining.rows.table.num_rows:,} labelled flights with the candidates {', '.join(candidates)}",
        value=min(whole),
        unit="s of CPU",
        limit=Limit(f"its {len(prepared)} fits alone, one thread", min(bare)),
        aim=Aim(1.3, "at most", of="ratio"),
        note=f"{won} won; process start and the reading of the snapshot are not counted",
    )


def _labelled(project: Project, end: datetime) -> pa.Table:
    flights = read_flights(example_folder() / DATA, project.schema)
    joined = flights.requests.join(flights.labels.select(["event_id", "label"]), "event_id", join_type="inner").sort_by("event_time")
    before = pa.compute.less(joined.column("event_time"), pa.scalar(end, joined.column("event_time").type))
    return joined.filter(before).combine_chunks()
