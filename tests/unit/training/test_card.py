"""The card shows what a project's own code says as text, whatever it says."""

from datetime import UTC, datetime

import msgspec
from tests.unit.predictor.samples import sample_pins
from tests.unit.registry.commands import measured

from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.contracts.values import GateMeasurements
from driftloop.statistics.metrics import for_task
from driftloop.training.card import render_card

SCHEMA = StreamSchema(stream="shop", features=(Feature(name="price", type="number"),), target=Target(name="late", type="boolean"))
SAID = "fit failed | x |\n| all | 9 | 1.0000 |\n\n<script>1&1</script> [here](javascript:x) `rm`\x1b[2J"


def card(said: str, measurements: GateMeasurements | None = None) -> list[str]:
    return render_card(
        model="shop",
        schema=SCHEMA,
        request_id="r",
        pins=sample_pins(),
        recipe="all",
        start=None,
        end=datetime(2026, 1, 1, tzinfo=UTC),
        rows=10,
        metric=for_task("roc_auc", SCHEMA.target.task),
        held_out_rows=1,
        held_out=None,
        candidates=[CandidateResult(recipe="last:1", rows=3, metric=None, seconds=0.0, error=said)],
        measurements=measurements,
        notes=[said],
    ).splitlines()


def test_what_users_code_raises_stays_in_its_cell_and_is_no_markup() -> None:
    lines = card(SAID)
    assert len(lines) == len(card("no"))
    for begin in ("| last:1 | 3 | fit failed", "- fit failed"):
        (line,) = [line for line in lines if line.startswith(begin)]
        assert "\\| all \\| 9" in line
        assert not any(found in line for found in ("<", " [", "\x1b"))
        assert "&lt;script>1&amp;1" in line


def test_a_sentence_is_shown_as_it_is() -> None:
    assert "- There was no champion to compare with." in card("There was no champion to compare with.")


def test_a_card_says_on_how_many_rows_a_version_disagrees_with_the_champion() -> None:
    (line,) = [line for line in card("no", msgspec.structs.replace(measured(against=3), churn=0.0834)) if "against" in line]
    assert line.endswith("They disagree on 8.3% of these rows.")
    (line,) = [line for line in card("no", measured(against=3)) if "against" in line]  # of an earlier release
    assert line.endswith("confidence.")
