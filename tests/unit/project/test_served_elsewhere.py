"""``served_by`` and ``[answers]`` of driftloop.toml."""

import pytest
from tests.unit.replay.test_served_elsewhere import TOML

from driftloop.contracts.answers import Answers
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.reading import parse_project


def parsed(config: str) -> Project:
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": b"def build(): ...\n"}, where="p")


def test_a_project_says_who_serves_its_model_and_where_the_answers_are() -> None:
    found = parsed(TOML + '[answers]\nscore = "out.p"\n')
    assert (found.served_by, found.answers) == ("elsewhere", Answers(score="out.p"))
    assert parsed(TOML.replace('served_by = "elsewhere"\n', "")).served_by == "driftloop"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            TOML.replace('served_by = "elsewhere"\n', "") + '[answers]\nscore = "p"\n',
            "p/driftloop.toml:15: .*must say served_by = 'elsewhere'",
        ),
        (TOML.replace('"elsewhere"', '"sagemaker"'), "p/driftloop.toml:5: project.served_by: .*one of driftloop, elsewhere"),
        (TOML + '[answers]\nscore = "a..b"\n', "p/driftloop.toml:17: answers.score: 'a..b' is no path"),
        (TOML + '[answers]\nscores = "a"\n', "p/driftloop.toml:17: unknown setting 'scores'; .answers. knows prediction, score"),
        (
            TOML + '[stream.requests]\ntopic = "loans.v1"\nformat = "avro"\nevent_id = "id"\nevent_time = "at"\n',
            "answers are read from JSON, and requests are avro: .answers. topic must name one with the answers in JSON",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(config: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parsed(config)
