"""The grammar of recipes: one text, one value, and back."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.project.recipes import Member, Recipe, parse_recipe


@pytest.mark.parametrize(
    ("text", "canonical", "members"),
    [
        ("all", "all", [Member()]),
        (" last:05 ", "last:5", [Member(base="last", windows=5)]),
        ("decay:4", "decay:4", [Member(base="decay", windows=4)]),
        ("decay:2.50", "decay:2.5", [Member(base="decay", windows=2.5)]),
        ("last:2+time", "last:2+time", [Member(base="last", windows=2, time=True)]),
        ("mean:[all,all+time ,decay:4]", "mean:[all, all+time, decay:4]", [Member(), Member(time=True), Member(base="decay", windows=4)]),
        ("newest", "newest", [Member(base="newest")]),
        (" newest+time", "newest+time", [Member(base="newest", time=True)]),
        ("mean: [all]", "mean:[all]", [Member()]),
    ],
)
def test_a_recipe_is_read_and_written(text: str, canonical: str, members: list[Member]) -> None:
    recipe = parse_recipe(text)
    assert (str(recipe), list(recipe.members), recipe.mean) == (canonical, members, canonical.startswith("mean"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no recipe: use all, last:N (N windows) or decay:H"),
        ("most", "a mean of these such as mean:[all, all+time, decay:4], or newest (the newest window, measured within it)"),
        ("all:3", "'all:3' is no recipe: use all"),
        ("all:", "is no recipe: use all"),
        ("all+time+time", "is no recipe: use all"),
        ("last", "a whole number of windows, at least 1"),
        ("last:2.5", "a whole number of windows"),
        ("last:²", "a whole number of windows"),
        ("last:-1", "a whole number of windows"),
        ("last:9999999", "at most 1000000"),
        ("decay:0", "a half-life in windows, at least 0.1, such as 4 or 2.5"),
        ("decay:inf", "a half-life in windows"),
        ("decay:1e3", "a half-life in windows"),
        ("mean:", "names no members: write mean:[all, decay:4]"),
        ("mean:[]", "'' is no recipe"),
        ("mean:[all,]", "'' is no recipe"),
        ("mean:[all, all]", "names a member twice"),
        ("mean:[decay:4, decay:4.0]", "names a member twice"),
        ("mean:[all]+time", "+time belongs to a mean's members"),
        ("mean:[all, mean:[all]]", "a mean cannot be a member of a mean"),
        ("newest:2", "'newest:2' is no recipe"),
        ("mean:[all, newest]", "'newest' is no recipe"),
        ("mean:[all, mode]", "'mode' is no recipe"),
    ],
)
def test_what_is_no_recipe_is_told_what_one_is(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_recipe(text)


BASES = [
    st.just(Member()),
    st.builds(Member, base=st.just("last"), windows=st.integers(1, 10**6)),
    st.builds(Member, base=st.just("decay"), windows=st.integers(100, 10**9).map(lambda thousandths: thousandths / 1000)),
]
MEMBERS = st.builds(lambda member, time: msgspec.structs.replace(member, time=time), st.one_of(BASES), st.booleans())
RECIPES = st.one_of(
    st.builds(Member, base=st.just("newest"), time=st.booleans()).map(lambda member: Recipe(members=(member,))),
    MEMBERS.map(lambda member: Recipe(members=(member,))),
    st.lists(MEMBERS, min_size=1, max_size=5, unique=True).map(lambda members: Recipe(members=tuple(members), mean=True)),
)


@given(RECIPES)
def test_the_text_of_a_recipe_gives_the_recipe_back(recipe: Recipe) -> None:
    assert parse_recipe(str(recipe)) == recipe


@given(st.text())
def test_any_text_is_a_recipe_or_is_refused_in_words(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except ValueError:  # and nothing else
        return
    assert parse_recipe(str(recipe)) == recipe
