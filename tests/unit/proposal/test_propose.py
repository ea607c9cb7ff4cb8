"""From a file to a project: what each column is taken for and why, and what a person is asked."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.hives import FEATURES, write_hives

from driftloop.contracts.names import is_name
from driftloop.datafile.reading import read_table
from driftloop.errors import UserError
from driftloop.project.reading import read_project
from driftloop.proposal.columns import feature_name
from driftloop.proposal.propose import Proposal, propose, slug
from driftloop.proposal.trial import tried
from driftloop.proposal.wishes import Unsure, Wishes
from driftloop.proposal.writing import config_text, pipeline_text, write

N = 2_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RANDOM = np.random.default_rng(7)
START = datetime(2024, 1, 1, tzinfo=UTC)
PLAIN = {
    "at": [(START + timedelta(hours=n)).isoformat() for n in range(N)],
    "size": RANDOM.normal(10, 2, N).round(3),
    "colour": RANDOM.choice(["red", "green", "blue"], N),
    "bought": RANDOM.random(N) < 0.4,
}


def file(folder: Path, **changes: object) -> Path:
    columns = {name: values for name, values in (PLAIN | changes).items() if values is not None}
    pa_csv.write_csv(pa.table(columns), folder / "rows.csv")
    return folder / "rows.csv"


def proposed(folder: Path, wishes: Wishes | None = None, **changes: object) -> Proposal:
    wanted = wishes or Wishes(target="bought")
    return propose(read_table(file(folder, **changes), wanted.missing), folder / "shop", wanted)


def why(proposal: Proposal, column: str) -> tuple[str, str]:
    found = next(one for one in proposal.columns if one.column == column)
    return found.role, found.why


def test_a_file_of_hives_becomes_a_project_that_passes_its_check_and_fits(tmp_path: Path) -> None:
    data = write_hives(tmp_path / "hives.csv", 3_000)
    found = propose(read_table(data), tmp_path / "My Hives", Wishes(target="swarmed"))
    assert {column.name for column in found.features} == FEATURES
    assert (found.name, found.model, found.target_type) == ("my-hives", "my-hives-swarmed", "boolean")
    assert (found.event_time, found.event_id, found.entity, found.label_time) == (
        ("measured_at",),
        "Reading No",
        ("hive_id",),
        "swarmed_at",
    )
    assert why(found, "firmware") == ("left out", "constant: every row has 'v2.1'")
    assert why(found, "mites_after")[1].startswith("alone it predicts swarmed (roc_auc 1.0")
    assert found.windows >= 5
    with write(tmp_path / "My Hives", found, data, NOW) as made:
        trial = tried(made, data)
    assert trial.rows == found.labelled < found.rows == 3_000
    project = read_project(tmp_path / "My Hives")
    assert set(project.schema.feature_names) == FEATURES
    assert (tmp_path / "My Hives" / (project.backtest.data or "")).resolve() == data.resolve()


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_file_is_taken_alike_however_it_is_stored(tmp_path: Path, kind: str) -> None:
    table = pa_csv.read_csv(file(tmp_path))
    path = tmp_path / f"same.{kind}"
    if kind == "csv":
        pa_csv.write_csv(table, path)
    elif kind == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text("\n".join(json.dumps(row, default=str) for row in table.to_pylist()))
    found = propose(read_table(path), tmp_path / "shop", Wishes(target="bought"))
    assert {column.column: (column.role, column.type) for column in found.columns} == {
        "at": ("event time", "datetime"),
        "size": ("feature", "number"),
        "colour": ("feature", "category"),
        "bought": ("target", "boolean"),
    }


@pytest.mark.parametrize(
    ("column", "values", "role", "reason"),
    [
        ("row", list(range(N)), "event id", "every row has a value of its own"),
        ("row_id", [f"r{n}" for n in range(N)], "event id", "every row has a value of its own"),
        ("batch", ["b7"] * N, "left out", "constant: every row has 'b7'"),
        ("note", pa.nulls(N, pa.string()), "left out", "no row has a value"),
        ("paid", [f"{b + RANDOM.random() / 9:.3f}" for b in PLAIN["bought"]], "left out", "alone it predicts bought (roc_auc 1.000)"),
        ("basket", [f"b{n % 100}" for n in range(N)], "feature", "text"),
        ("shop_id", [f"s{n % 9}" for n in range(N)], "entity", "9 different values in 2,000 rows, and its name"),
        ("zip", [f"0{n % 90 + 10}" for n in range(N)], "feature", "numbers with leading zeros"),
        ("left", [(START + timedelta(hours=n + 3)).isoformat() for n in range(N)], "label time", "after the event"),
        ("born", [(START - timedelta(days=n % 900)).isoformat() for n in range(N)], "feature", "every value is a time"),
    ],
)
def test_a_column_is_taken_for_what_its_values_say(tmp_path: Path, column: str, values: list[object], role: str, reason: str) -> None:
    wishes = Wishes(target="bought", time=("at",)) if column == "born" else Wishes(target="bought")
    if column == "row":
        wishes = Wishes(target="bought", event_id="row")
        reason = "as stated"
    found = proposed(tmp_path, wishes, **{column: values})
    assert why(found, column)[0] == role
    assert reason in why(found, column)[1]


def test_what_is_missing_in_just_the_rows_without_a_label_is_known_only_with_it(tmp_path: Path) -> None:
    gone = RANDOM.random(N) < 0.1
    bought = [None if out else bool(b) for out, b in zip(gone, PLAIN["bought"], strict=True)]
    review = [None if out else float(RANDOM.random()) for out in gone]
    found = proposed(tmp_path, bought=bought, review=review)
    assert why(found, "review")[1] == f"missing in exactly the {gone.sum()} rows that have no label: known only with it"
    assert any(f"{gone.sum()} of 2,000 rows have no bought" in warning for warning in found.warnings)
    kept = proposed(tmp_path, Wishes(target="bought", keep=("review",)), bought=bought, review=review)
    assert why(kept, "review") == ("feature", "every value is a number, kept as stated")


def test_what_may_be_a_leak_stays_a_feature_and_a_person_is_told_to_look(tmp_path: Path) -> None:
    cancelled = RANDOM.random(N) < 0.1
    bought = [None if out else bool(b) for out, b in zip(cancelled, PLAIN["bought"], strict=True)]
    plate = [None if out and n % 2 else f"p{n % 50}" for n, out in enumerate(cancelled)]
    delay = [float(b) + RANDOM.normal(0, 0.5) for b in PLAIN["bought"]]
    found = proposed(tmp_path, bought=bought, plate=plate, delay=delay)
    assert {why(found, name)[0] for name in ("plate", "delay")} == {"feature"}
    told = "\n".join(found.warnings)
    assert "delay alone predicts bought well (roc_auc 0." in told
    assert f"plate is missing in {plate.count(None)} rows, none of which has a label: make sure that it is known" in told
    assert "size" not in told


@pytest.mark.parametrize(
    ("values", "kind", "metric_task"),
    [
        ([0, 1], "boolean", "binary"),
        (["yes", "no"], "boolean", "binary"),
        (["cat", "dog"], "category", "multiclass"),
        (["a", "b", "c"], "category", "multiclass"),
        ([n / 7 for n in range(N)], "number", "regression"),
        (list(range(100)), "number", "regression"),
    ],
)
def test_a_target_says_what_its_task_is(tmp_path: Path, values: list[object], kind: str, metric_task: str) -> None:
    found = proposed(tmp_path, bought=[values[n % len(values)] for n in RANDOM.permutation(N)])
    assert (found.target_type, found.task) == (kind, metric_task)


def test_few_whole_numbers_may_be_classes_or_amounts_and_that_is_asked(tmp_path: Path) -> None:
    stars = [n % 5 + 1 for n in RANDOM.permutation(N)]
    with pytest.raises(Unsure, match="5 different whole numbers: are they amounts") as asked:
        proposed(tmp_path, bought=stars)
    assert (asked.value.field, asked.value.choices) == ("target_type", ("number", "category"))
    assert proposed(tmp_path, Wishes(target="bought", target_type="category"), bought=stars).task == "multiclass"


TWO_TYPES = (
    r"'size' holds two types: 1,334 numbers and 666 other values, such as 'big' in row 2; "
    "say --missing big if that means nothing, --type size=category, or --drop size"
)
THREE_WAYS = (
    r"'at' has times written in 3 ways, of 2,000 values 668 as ISO 8601 \('2024-01-01', row 1\); 666 as %d/%m/%Y \('31/01/2024', row 2\); "
    r"666 in no way that is known \('Jan 5', row 3\); write every time alike, or name another column with --time"
)
MIXED = {"size": ["1.5", "big", "7"] * 666 + ["1", "2"]}
IN_THREE_WAYS = {"at": ["2024-01-01", "31/01/2024", "Jan 5"] * 666 + ["2024-01-01"] * 2}
SOME_ZONED = {"at": [f"{day[:19]}{'Z' if n % 2 else ''}" for n, day in enumerate(PLAIN["at"])]}
SOME_TOLD = "'at' holds 1,000 times with an offset from UTC and others without, such as '2024-01-01T00:00:00': write them alike"
COMMAS = {"size": [f"{n % 9},{n % 7}" for n in range(N)]}
COMMAS_TOLD = (
    "'size' holds numbers with commas, such as '0,0': write them with a point, and nothing between thousands; "
    "or say --type size=category, or --drop size"
)
TWO_KEYS = {"user_id": [n % 50 for n in range(N)], "shop_id": [n % 9 for n in range(N)]}
BOUGHT = Wishes(target="bought")


@pytest.mark.parametrize(
    ("wishes", "changes", "said"),
    [
        (Wishes(), {}, r"which column is to be predicted\?; say which with --target: size, colour, bought"),
        (Wishes(target="sold"), {}, "--target: the file has no column 'sold'; it has size, colour, bought"),
        (BOUGHT, {"bought": [True] * N}, "has one value, True, in all of its 2,000 labelled rows: there is nothing to learn"),
        (BOUGHT, {"bought": pa.nulls(N, pa.string())}, "'bought' has no value in any of 2,000 rows: name a column with labels"),
        (BOUGHT, {"at": None}, "no column holds times, and a loop has to know when each row happened"),
        (BOUGHT, MIXED, TWO_TYPES),
        (BOUGHT, IN_THREE_WAYS, THREE_WAYS),
        (BOUGHT, SOME_ZONED, SOME_TOLD),
        (BOUGHT, COMMAS, COMMAS_TOLD),
        (
            BOUGHT,
            {"size": [f"{n:,}.5" for n in range(N)]},
            "'size' holds two types: 1,000 numbers and 1,000 other values, such as '1,000.5'",
        ),
        (BOUGHT, {"size": [f"1.{n % 1000:03}.000,5" for n in range(N)]}, "'size' holds numbers with commas, such as '1.000.000,5'"),
        (BOUGHT, {"at": [*PLAIN["at"][1:], None]}, "1 rows have no 'at', the first of them row 2,000"),
        (BOUGHT, {"at": ["2024-01-01"] * N}, "lie within 0 s: they make no 5 windows"),
        (BOUGHT, TWO_KEYS, "say which with --entity: user_id, shop_id, none"),
        (BOUGHT, {"size": None, "colour": None}, "no column is left to predict bought from"),
        (Wishes(target="bought", metric="f2"), {}, "--metric: 'f2' is no metric"),
        (Wishes(target="bought", every="0d"), {}, "--every: '0d' is no time at all"),
        (Wishes(target="bought", every="1y"), {}, "--every: '1y' is not a duration"),
        (Wishes(target="bought", keep=("x",)), {}, "--keep: the file has no column 'x'"),
        (Wishes(target="bought", name="My Shop"), {}, "--name: 'My Shop' is no name"),
        (Wishes(target="bought", timezone="Mars/Base"), {"at": ["2024-01-01 10:00"] * N}, "'Mars/Base' is no time zone"),
    ],
)
def test_what_cannot_be_told_is_a_sentence_with_what_to_do(tmp_path: Path, wishes: Wishes, changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        proposed(tmp_path, wishes, **changes)


def test_days_and_months_that_may_be_either_are_asked_for_and_read_as_stated(tmp_path: Path) -> None:
    days = [f"{n % 12 + 1:02d}/{n % 11 + 1:02d}/2024" for n in range(N)]
    with pytest.raises(Unsure, match="can be read in several ways") as asked:
        proposed(tmp_path, at=days)
    assert asked.value.field == "time_format"
    assert set(asked.value.choices) >= {"%d/%m/%Y", "%m/%d/%Y"}
    months_first = proposed(tmp_path, Wishes(target="bought", time_format="%m/%d/%Y"), at=days)
    assert (months_first.time_format, months_first.end.month) == ("%m/%d/%Y", 12)
    with write(tmp_path / "shop", months_first, tmp_path / "rows.csv", NOW) as made:
        assert tried(made, tmp_path / "rows.csv").rows == N


def test_seconds_since_1970_are_times_of_a_column_called_so(tmp_path: Path) -> None:
    seconds = [int(START.timestamp()) + 3600 * n for n in range(N)]
    found = proposed(tmp_path, at=None, ts=seconds)
    assert (found.event_time, found.time_format, found.start) == (("ts",), "unix", START)
    with write(tmp_path / "shop", found, tmp_path / "rows.csv", NOW) as made:
        assert tried(made, tmp_path / "rows.csv").rows == N


def test_a_word_for_missing_values_is_said_once_and_holds_for_every_reader(tmp_path: Path) -> None:
    size = ["?" if n % 10 == 0 else f"{n % 7 + 0.5}" for n in range(N)]
    found = proposed(tmp_path, Wishes(target="bought", missing=("?",)), size=size)
    assert next(column for column in found.features if column.column == "size").missing == N // 10
    with write(tmp_path / "shop", found, tmp_path / "rows.csv", NOW) as made:
        assert tried(made, tmp_path / "rows.csv").rows == N


def test_windows_of_few_rows_get_rules_that_fit_them_and_the_reason(tmp_path: Path) -> None:
    few = {name: values[:300] for name, values in PLAIN.items()}
    found = proposed(tmp_path, **few)
    text = config_text(found, "rows.csv", NOW)
    assert found.rows_a_window < 200
    assert "min_new_labels" in text
    assert "Windows have fewer rows than the defaults are made for (200 and 100)" in text


def test_a_file_whose_last_window_has_not_ended_gets_a_clock_of_its_own(tmp_path: Path) -> None:
    found = proposed(tmp_path)
    assert 'clock = "replay"' not in config_text(found, "rows.csv", NOW)
    assert 'clock = "replay"' in config_text(found, "rows.csv", found.end)


def test_a_time_at_the_end_of_the_calendar_is_a_time(tmp_path: Path) -> None:
    found = proposed(tmp_path, at=[*PLAIN["at"][1:], "9999-12-31T23:59:59+00:00"])
    assert 'clock = "replay"' in config_text(found, "rows.csv", NOW)


def test_a_column_that_is_nested_is_told_with_what_leaves_it_out(tmp_path: Path) -> None:
    table = pa.table({**{name: pa.array(values) for name, values in PLAIN.items()}, "basket": [{"n": 1}] * N})
    with pytest.raises(
        UserError, match="column 'basket' holds struct<n: int64>, which is no type of a feature: --drop basket leaves it out"
    ):
        propose(table, tmp_path, BOUGHT)


AWKWARD = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=20)


@given(st.lists(AWKWARD, min_size=1, max_size=6, unique=True))
def test_whatever_columns_are_called_their_features_have_names_of_their_own(columns: list[str]) -> None:
    taken: set[str] = set()
    for column in columns:
        name = feature_name(column, taken)
        assert name.isidentifier()
        assert name not in taken
        taken.add(name)


@given(AWKWARD)
def test_whatever_a_folder_is_called_the_project_has_a_name(text: str) -> None:
    assert is_name(slug(text))


@given(AWKWARD, AWKWARD)
def test_whatever_a_file_calls_things_the_project_can_be_read_again(column: str, target: str) -> None:
    if column.strip() == target.strip() or not column.strip() or not target.strip() or {"at"} & {column, target}:
        return
    table = pa.table({"at": PLAIN["at"], column: PLAIN["colour"], target: PLAIN["bought"]})
    with TemporaryDirectory() as folder:
        try:
            found = propose(table, Path(folder), Wishes(target=target, entity=("none",), event_id="none"))
        except UserError:
            return
        files = {"driftloop.toml": config_text(found, "rows.csv", NOW), "pipeline.py": pipeline_text(found)}
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        project = read_project(Path(folder))
    [feature] = project.schema.feature_names
    assert project.backtest.columns.get(feature, feature) == column
    assert project.backtest.label == target
