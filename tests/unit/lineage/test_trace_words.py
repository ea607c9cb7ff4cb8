"""A traced prediction says how sure the model was."""

import pytest

from driftloop.lineage.trace import _how_sure


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"score": 0.7}, "score 0.7"),
        ({"score": 0.7, "probabilities": None}, "score 0.7"),
        ({"score": 0.7, "probabilities": 12.5}, "score 0.7"),  # a feature of that name, in files of an earlier schema
        ({"score": 0.7, "probabilities": {"apple": 0.1, "pear": 0.7, "fig": 0.2}}, "pear 0.700, fig 0.200, apple 0.100"),
        ({"score": 0.4, "probabilities": dict.fromkeys("hgfedcba", 0.125)}, "a 0.125, b 0.125, c 0.125, d 0.125, e 0.125, 3 more classes"),
    ],
)
def test_the_most_probable_classes_are_told_or_the_score(row: dict[str, object], words: str) -> None:
    assert _how_sure(row) == words
