"""A form that sends messages of quarantine again, or shows what would be sent, as a question to the process that does so."""

from collections.abc import Mapping

from driftloop.errors import UserError
from driftloop_console.data_questions import Redriving

MOST_IDS, MOST_FIELDS = 500, 20
MAX_BY, MAX_WHY = 200, 1_000


def redriving_of(fields: Mapping[str, str], stream: str, *, send: bool) -> Redriving:
    """``ids``: apart by blanks; ``set``: PATH=VALUE, a line each. Raises UserError for what is missing or too much."""
    ids = (*fields.get("ids", "").split(), *(name.removeprefix("id.") for name in fields if name.startswith("id.")))
    if len(ids) > MOST_IDS:
        raise UserError(
            f"these are {len(ids)} messages by their ids, and a form takes {MOST_IDS}: choose by reason, or on the command line"
        )
    given = [line.strip() for line in fields.get("set", "").splitlines() if line.strip()]
    if len(given) > MOST_FIELDS:
        raise UserError(
            f"a form sets at most {MOST_FIELDS} fields: `driftloop quarantine redrive --transform FILE.py:FUNCTION` makes any change"
        )
    why, by = fields.get("reason", "").strip(), fields.get("actor", "").strip()
    if send and not 0 < len(why) <= MAX_WHY:
        raise UserError(f"say why, in at most {MAX_WHY:,} characters: the reason stays on the record, and goes with the messages")
    if send and not 0 < len(by) <= MAX_BY:
        raise UserError(f"say who you are, in at most {MAX_BY} characters: the name stays on the record")
    return Redriving(
        stream=stream,
        ids=tuple(dict.fromkeys(ids)),
        reason=fields.get("because") or None,
        fields=tuple(given),
        again=fields.get("again") == "on",
        send=send,
        why=why,
        by=by,
    )
