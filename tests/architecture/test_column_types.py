"""A new column type has five places, and the type checker names them."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from tests.architecture.compose_file import REPOSITORY
from tests.support.traffic import small_schema

from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.column_types import COLUMN_TYPES, TARGET_TASKS
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.contracts.schema import LABEL_COLUMNS, PLACE_COLUMNS, REQUEST_COLUMNS, RESERVED, SCORING_COLUMNS
from driftloop.rows.schemas import ARROW_TYPES, kind_of, lake_schema

LIBRARY = REPOSITORY / "libs" / "driftloop" / "src"
TABLE = "driftloop/contracts/column_types.py"
PLACES = {TABLE, "driftloop/rows/numbers.py", "driftloop/artifact/scoring.py", "driftloop/datafile/values.py"}
PLACES |= {"driftloop/rows/existing/kinds.py"}
OTHER_MEANINGS = {  # words that are a type's name by chance
    "driftloop/demo/report.py": {"number"},  # of a window
    "driftloop/documents/project_words.py": {"number", "integer", "boolean"},  # of JSON Schema
    # of files that are no stream yet: ids are text, days are whole numbers
    "driftloop/datafile/rows.py": {"category", "integer", "datetime"},
    # Which types of a format are taken for it: a test asks that each is there. The other words are Avro's own.
    **{f"driftloop/rows/existing/{name}.py": set(COLUMN_TYPES) for name in ("avro_schema", "protobuf")},
    **{f"driftloop/rows/existing/{name}.py": {"boolean"} for name in ("avro_code", "avro_values")},
    **{f"driftloop/rows/existing/{name}.py": {"datetime"} for name in ("requests", "labels")},  # event time and label time
    "driftloop/project/topic_mappings.py": {"number", "datetime"},  # that alone have a unit, or a format
    "driftloop/rows/existing/contents.py": set(COLUMN_TYPES),
    # What values look like. A type that is not named here is never proposed; it can be stated.
    "driftloop/proposal/facts.py": set(COLUMN_TYPES),
    "driftloop/proposal/target.py": set(COLUMN_TYPES),
    "driftloop/proposal/clock.py": {"number", "integer", "datetime"},
    "driftloop/proposal/keys.py": {"integer", "category"},
    "driftloop/proposal/leaks.py": {"category"},
    **{f"driftloop/proposal/{name}.py": {"category", "datetime", "number"} for name in ("propose", "columns", "writing")},
    **{
        f"driftloop/statistics/{name}.py": {"category"} for name in ("profile", "histograms", "distances", "comparison")
    },  # a histogram without order
}


def test_mypy_names_the_places_that_a_new_type_was_forgotten_in(tmp_path: Path) -> None:
    shutil.copytree(LIBRARY / "driftloop", tmp_path / "driftloop", ignore=shutil.ignore_patterns("__pycache__"))
    assert unmatched(tmp_path) == set()
    table = tmp_path / TABLE
    source = table.read_text(encoding="utf-8")
    grown = source.replace("FeatureType = Literal[", 'FeatureType = Literal["money", ')
    assert grown != source
    table.write_text(grown, encoding="utf-8")
    assert unmatched(tmp_path) == PLACES


def unmatched(folder: Path) -> set[str]:
    """Files in which mypy finds a type that reaches an ``assert_never``. Other packages are not looked into: that takes minutes."""
    files = [file for file in folder.rglob("*.py") if re.search(r"assert_never|column_types", file.read_text(encoding="utf-8"))]
    quick = ["--follow-imports=skip", "--ignore-missing-imports", "--namespace-packages", "--explicit-package-bases"]
    command = [sys.executable, "-m", "mypy", "--config-file=", f"--cache-dir={folder / 'cache'}", *quick, *(str(f) for f in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    return set(re.findall(r"(?m)^(\S+?):\d+: error: Argument 1 to \"assert_never\"", done.stdout))


def test_no_other_file_tells_types_apart() -> None:
    found = set()
    for root in (LIBRARY, *(REPOSITORY / "services").glob("*/src")):
        for file in sorted(root.rglob("*.py")):
            name = file.relative_to(root).as_posix()
            allowed = set(COLUMN_TYPES) if name in PLACES else OTHER_MEANINGS.get(name, set())
            constants = {node.value for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant)}
            found |= {(name, word) for word in set(COLUMN_TYPES) - allowed if word in constants}
    assert found == set()


def test_every_type_has_an_arrow_type_of_its_own() -> None:
    assert {kind_of(arrow) for arrow in ARROW_TYPES.values()} == set(COLUMN_TYPES)
    assert [str(ARROW_TYPES[name]) for name in COLUMN_TYPES] == [row.arrow for row in COLUMN_TYPES.values()]
    assert kind_of(pa.large_string()) is None


def test_the_page_on_features_names_every_type_and_part() -> None:
    page = (REPOSITORY / "docs" / "features.md").read_text(encoding="utf-8")
    for name, row in COLUMN_TYPES.items():
        assert re.search(rf"(?m)^\| `{name}` \|.*`{re.escape(row.arrow)}`", page), name
        assert all(f"`{part}`" in page for part in row.parts)


def test_a_type_with_a_task_is_a_targets() -> None:
    assert {name: row.task for name, row in COLUMN_TYPES.items() if row.task is not None} == TARGET_TASKS


def test_the_columns_that_driftloop_writes_are_reserved() -> None:
    columns = {name for table in ("inferences", "labels") for name in lake_schema(small_schema("s"), table).names}
    may_be_a_feature = {RECALIBRATION_EPOCH, VERSION_RULE}  # which is then not written
    assert columns - set(small_schema("s").feature_names) == RESERVED | may_be_a_feature
    assert len(RESERVED) == len([*REQUEST_COLUMNS, *SCORING_COLUMNS, *LABEL_COLUMNS, *PLACE_COLUMNS])
