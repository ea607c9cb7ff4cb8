"""The files of a proposed project: ``driftloop.toml`` with a comment on each choice, and ``pipeline.py``."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from driftloop.contracts.windows import CLOCK_SKEW, parse_duration
from driftloop.errors import UserError
from driftloop.project.model import CONFIG_FILE, PIPELINE_FILE, Promotion
from driftloop.project.rules import BacktestData, Policy
from driftloop.proposal.columns import Column
from driftloop.proposal.propose import PARTS, Proposal
from driftloop.proposal.windows import ENOUGH

COMMENT_AT = 46  # characters before a comment, where there is room


def config_text(proposal: Proposal, data: str, now: datetime) -> str:
    """``data``: the file, relative to the project's folder."""
    parts = [_head(proposal), _features(proposal), _target(proposal), _windows(proposal), _rules(proposal), _backtest(proposal, data)]
    if proposal.end > now + CLOCK_SKEW - parse_duration(proposal.every):  # the last window could not close
        parts[0] += 'clock = "replay"   # the last window of the file ends after today; "wall" when live traffic comes\n'
    return "\n".join(parts)


def _head(p: Proposal) -> str:
    return f"""# Predicts {_line(p.target)} from {len(p.features)} columns. Written by `driftloop init`; every word: docs/project.md.

[project]
name = {_text(p.name)}
model = {_text(p.model)}

[stream]
name = {_text(p.name)}   # topics {p.name}.requests, .inferences, .labels and .quarantine
split_key = "entity"   # rows that share it are never on both sides of the split: {_of_entity(p)}
"""


def _of_entity(p: Proposal) -> str:
    return f"{_line(', '.join(p.entity))} of the file" if p.entity else "here each row is its own"


def _features(p: Proposal) -> str:
    lines = ["# Known when a row is asked about. In JSON a missing value is null.", "[features]"]
    lines += [_aside(_feature(column), _line(_about(column))) for column in p.features]
    if p.left_out:
        lines += ["", "# Left out; `driftloop init --keep COLUMN` takes one nevertheless:"]
        lines += [f"#   {_line(column.column)}: {_line(column.why)}" for column in p.left_out]
    return "\n".join(lines) + "\n"


def _feature(column: Column) -> str:
    key = _key(column)
    extra = [", required = false"] if column.missing else []
    if column.type == "datetime":
        extra.append(f", parts = {_list(PARTS)}")
    if not extra:
        return f"{key} = {_text(str(column.type))}"
    return f"{key} = {{ type = {_text(str(column.type))}{''.join(extra)} }}"


def _about(column: Column) -> str:
    called = "" if column.name == column.column else f"{column.column} of the file; "
    missing = f"; {column.missing:,} rows have none" if column.missing else ""
    return f"{called}{column.why}{missing}"


def _target(p: Proposal) -> str:
    why = next(column.why for column in p.columns if column.role == "target")
    return "\n".join(
        [
            f"# {_line(why)}",
            "[target]",
            f"name = {_text(p.target_name)}",
            f"type = {_text(p.target_type)}",
            f"metric = {_text(p.metric)}   # what candidates compete by and what is watched; others: docs/reference.md",
            "",
        ]
    )


def _windows(p: Proposal) -> str:
    return "\n".join(
        [
            f"# {p.windows} windows with rows from {p.start:%Y-%m-%d} to {p.end:%Y-%m-%d},",
            f"# {p.rows_a_window:,} labelled rows in the middle one by size.",
            "# When one closes it is measured, compared with the training data, and decided on.",
            "[windows]",
            f"every = {_text(p.every)}",
            "",
        ]
    )


def _rules(p: Proposal) -> str:
    """The defaults, unless windows are smaller than those are made for."""
    policy, promotion = Policy(), Promotion()
    if p.rows_a_window >= ENOUGH:
        return "# [policy], [training], [promotion] and [monitoring] are as they are by default: examples/flights writes them out.\n"
    labels, rows = max(1, p.rows_a_window // 2), max(10, p.rows_a_window // 4)
    return "\n".join(
        [
            f"# Windows have fewer rows than the defaults are made for ({policy.min_new_labels} and {promotion.min_rows}): what is",
            "# measured on so few is uncertain, and drift may not be judged at all. Longer windows are better, if there are enough.",
            "[policy]",
            f"min_new_labels = {labels}",
            "",
            "[promotion]",
            f"min_rows = {rows}",
            "",
        ]
    )


def _backtest(p: Proposal, data: str) -> str:
    time = _text(p.event_time[0]) if len(p.event_time) == 1 else _list(p.event_time)
    lines = ["# Where `driftloop replay` and `driftloop backtest` find the rows, and what the file calls things.", "[backtest]"]
    lines += [f"data = {_text(data)}", f"event_time = {time}"]
    lines += [f"time_format = {_text(p.time_format)}"] if p.time_format else []
    if p.time_format is None or "%z" not in p.time_format:
        lines.append(_aside(f"timezone = {_text(p.timezone)}", "of times without an offset from UTC"))
    lines.append(f"label = {_text(p.target)}")
    if p.label_time:
        lines.append(_aside(f"label_time = {_text(p.label_time)}", "when the label became known"))
    if p.event_id:
        lines.append(f"event_id = {_text(p.event_id)}")
    if p.entity:
        lines.append(f"entity = {_list(p.entity)}")
    renamed = [(_key(c), c.column) for c in p.features if c.name != c.column]
    if renamed:
        lines.append("columns = { " + ", ".join(f"{name} = {_text(column)}" for name, column in renamed) + " }")
    if p.missing:
        lines.append(f"missing = {_list(p.missing)}")
    lines.append(_aside(f"first = {BacktestData().first}", "windows that the first version is fitted on"))
    return "\n".join(lines) + "\n"


def pipeline_text(p: Proposal) -> str:
    """Gradient boosting on numbers and, as codes, categories: takes missing values and categories that it has not seen."""
    categories = [column.name or column.column for column in p.features if column.type == "category"]
    kind = "HistGradientBoostingRegressor" if p.task == "regression" else "HistGradientBoostingClassifier"
    head = f'"""Predicts {_doc(p.target)}: gradient boosting, which takes missing values as they are."""\n\n'
    if not categories:
        return head + (
            f"from sklearn.ensemble import {kind}\nfrom sklearn.pipeline import Pipeline, make_pipeline\n\n\n"
            'def build() -> Pipeline:\n    """A new, unfitted pipeline."""\n'
            f"    return make_pipeline({kind}(random_state=0))\n"
        )
    listed = "\n".join(f"    {_text(name)}," for name in categories)
    return head + (
        "import numpy as np\n"
        "from sklearn.compose import make_column_transformer\n"
        f"from sklearn.ensemble import {kind}\n"
        "from sklearn.pipeline import Pipeline, make_pipeline\n"
        "from sklearn.preprocessing import OrdinalEncoder\n\n"
        f"CATEGORIES = [\n{listed}\n]\n\n\n"
        'def build() -> Pipeline:\n    """A new, unfitted pipeline. A category that the training data had not is a missing value."""\n'
        '    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)\n'
        "    return make_pipeline(\n"
        '        make_column_transformer((encoder, CATEGORIES), remainder="passthrough"),\n'
        f"        {kind}(random_state=0),\n"
        "    )\n"
    )


def _key(column: Column) -> str:
    """Letters of other alphabets stand in quotes."""
    name = column.name or column.column
    return name if name.isascii() else _text(name)


def _text(value: str) -> str:
    """A TOML string, which a JSON string is; characters beyond the first plane as themselves."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _line(text: str) -> str:
    """In a comment: a column's name may hold whatever it likes."""
    return "".join(c if c.isprintable() else " " for c in text)


def _doc(text: str) -> str:
    return "".join(c for c in _line(text) if c not in '"\\')


def _aside(setting: str, comment: str) -> str:
    return f"{setting:<{COMMENT_AT}} # {comment}"


@contextmanager
def write(folder: Path, proposal: Proposal, data: Path, now: datetime) -> Iterator[Path]:
    """Lay the files out in a folder of their own, which the block looks at; they come into ``folder`` only when it says nothing against
    them. Raises UserError where the folder cannot be written."""
    files = {
        CONFIG_FILE: config_text(proposal, os.path.relpath(data.resolve(), folder.resolve()), now),
        PIPELINE_FILE: pipeline_text(proposal),
    }
    with TemporaryDirectory(prefix="driftloop-init-") as made:
        for name, text in files.items():
            (Path(made) / name).write_text(text, encoding="utf-8")
        yield Path(made)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UserError(f"{folder}: {exc.strerror or exc}") from exc
