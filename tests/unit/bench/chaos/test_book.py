"""Outcomes as the applications know them."""

from bench.chaos.book import UID, Book, digest, uid_of
from bench.chaos.messages import JSON_HEADER, Message

from driftloop.ports import Record

ROW = Message("requests", "row", b"{}", b"key", (JSON_HEADER,), ("e1",))


def test_a_message_is_unknown_until_it_has_arrived() -> None:
    book = Book()
    first, second = (book.sending("alpha", ROW, "aiokafka", "gzip") for _ in range(2))
    book.arrived(second.uid)
    book.failed("timed out")
    assert (book.n_sent, book.n_ok) == (2, 1)
    assert [book.ok(sent.uid) for sent in (first, second)] == [False, True]
    assert first.uid != second.uid
    assert (first.digest, first.bad) == (digest(b"{}"), False)
    assert book.messages("beta") == []
    assert book.failures == {"timed out": 1}


def test_what_is_known_of_a_call_only_becomes_surer() -> None:
    book = Book()
    for how in ("maybe", "durable", "maybe", "answered"):
        book.called("alpha", ["e1"], how)
    book.called("alpha", ["e2"], "maybe")
    assert book.calls("alpha", "durable") == {"e1"}
    assert book.calls("alpha", "maybe") == {"e2"}
    assert book.calls("beta", "maybe") == set()


def test_a_record_names_the_message_that_it_is() -> None:
    record = Record("alpha.requests", 0, 3, 0, None, b"{}", (JSON_HEADER, (UID, b"alpha-7")))
    assert uid_of(record) == "alpha-7"
    assert uid_of(record._replace(headers=())) is None
    assert digest(None) is None
