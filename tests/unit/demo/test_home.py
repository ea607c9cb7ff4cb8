"""The demo's home is made anew, and only the demo's."""

from pathlib import Path

import pytest

from driftloop.demo.home import fresh_home
from driftloop.errors import UserError
from driftloop.local.claim import claim_home


def test_the_state_of_an_earlier_demo_is_gone(tmp_path: Path) -> None:
    home = fresh_home(tmp_path / "demo")
    (home / "state").mkdir()
    (home / "state" / "old").touch()

    assert not (fresh_home(home) / "state").exists()


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(UserError, match="was not made by a demo"):
        fresh_home(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_home_in_use_is_left_alone(tmp_path: Path) -> None:
    home = fresh_home(tmp_path / "demo")
    (home / "data").touch()

    with claim_home(home), pytest.raises(UserError, match="another demo is using"):
        fresh_home(home)
    assert (home / "data").exists()


def test_what_a_link_points_to_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    home = fresh_home(tmp_path / "demo")
    (home / "link").symlink_to(precious)
    fresh_home(home)

    assert (precious / "file").exists()
