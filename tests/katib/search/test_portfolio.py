"""The forests that a search begins with: where, and what of them a space takes."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.katib.search_spaces import parameter

from katib.search.algorithms import describe_sampler
from katib.search.portfolio import FOREST, portfolio_points
from katib.search.sampler import Search, TrialRecord
from katib.space import Parameter

LEAF = parameter("int", "min_samples_leaf", min="1", max="20", distribution="logUniform")
SPACE = (
    parameter("double", "max_features", min="0.15", max="1.0"),
    LEAF,
    parameter("int", "max_depth", min="4", max="30"),
    parameter("categorical", "bootstrap", list=["true", "false"]),
    parameter("double", "rate", min="0", max="1"),
)
FIRST = {
    "max_features": 1.0,
    "min_samples_leaf": 1,
    "max_depth": None,
    "bootstrap": True,
    "rate": 0.5,
}


def points(
    space: tuple[Parameter, ...], count: int, *, algorithm: str = "tunegate", **settings: str
) -> list[Any]:
    return Search(space, algorithm, settings, minimize=True, seed=1, first=FIRST).ask([], count)


@pytest.mark.parametrize("algorithm", ["tunegate", "bayesianoptimization", "tpe"])
def test_after_the_first_point_a_forest_begins_with_those_that_are_good_on_most_data(
    algorithm: str,
) -> None:
    begun = points(SPACE, 1 + len(FOREST), algorithm=algorithm)
    assert begun[0]["max_features"] == "1.0"
    for point, known in zip(begun[1:], FOREST, strict=True):
        assert float(point["max_features"]) == pytest.approx(known["max_features"])
        assert int(point["min_samples_leaf"]) == known["min_samples_leaf"]
        assert int(point["max_depth"]) == known["max_depth"]
        assert (point["bootstrap"] == "true") is known["bootstrap"]
    assert len({point["rate"] for point in begun}) == len(begun), (
        "what is not known of is spread out"
    )


def test_without_a_first_point_and_in_parts_they_are_the_same() -> None:
    search = Search(SPACE, "tunegate", {}, minimize=True, seed=1, first={})
    seen: list[TrialRecord] = []
    for _ in FOREST:
        seen += [TrialRecord(point, "running") for point in search.ask(seen, 1)]
    assert [int(trial.assignments["max_depth"]) for trial in seen] == [
        known["max_depth"] for known in FOREST
    ]


@pytest.mark.parametrize(("count", "begins"), [(1, True), (len(FOREST), False)])
def test_many_earlier_trials_know_more_than_other_data(count: int, *, begins: bool) -> None:
    point = {"max_features": "0.5", "min_samples_leaf": "3", "max_depth": "9", "bootstrap": "true"}
    earlier = tuple(
        TrialRecord({**point, "rate": str(k / 100)}, "complete", float(k)) for k in range(count)
    )
    found = Search(SPACE, "tpe", {}, minimize=True, seed=1, first={}, earlier=earlier).ask([], 3)
    known = {str(known["max_features"]) for known in FOREST}
    assert ({point["max_features"] for point in found} <= known) is begins


def test_arguments_of_a_command_are_known_too() -> None:
    dashed = (
        parameter("double", "--max-features", min="0.15", max="1.0"),
        parameter("int", "--max-depth", min="4", max="30"),
    )
    found = [(float(p["--max-features"]), int(p["--max-depth"])) for p in points(dashed, 3)[1:]]
    assert found == [
        pytest.approx((known["max_features"], known["max_depth"])) for known in FOREST[:2]
    ]


@pytest.mark.parametrize(
    ("space", "settings"),
    [
        (SPACE, {"portfolio": "none"}),
        ((LEAF, parameter("double", "rate", min="0", max="1")), {}),
        ((*SPACE, parameter("double", "--learning-rate", min="0.1", max="1")), {}),
    ],
    ids=["not wanted", "one name alone is no forest", "boosted trees"],
)
def test_elsewhere_the_search_begins_at_random(
    space: tuple[Parameter, ...], settings: dict[str, str]
) -> None:
    begun = points(space, 20, **settings)[1:]
    assert len({point["rate"] for point in begun}) == len(begun)
    leaves = [point["min_samples_leaf"] for point in begun]
    assert len(set(leaves)) > 5
    assert leaves[: len(FOREST)] != [str(known["min_samples_leaf"]) for known in FOREST]


@pytest.mark.parametrize(
    "features",
    [
        parameter("int", "max_features", min="1", max="13"),
        parameter("discrete", "max_features", list=["1", "3", "5", "8", "13"]),
        parameter("double", "max_features", min="1", max="13"),
    ],
    ids=lambda p: p.kind,
)
def test_a_share_is_not_taken_for_a_count(features: Parameter) -> None:
    begun = points((features, *SPACE[1:]), 1 + len(FOREST))
    assert len({point["max_features"] for point in begun[1:]}) > 2
    assert [int(point["max_depth"]) for point in begun[1:]] == [
        known["max_depth"] for known in FOREST
    ]


def test_a_count_is_not_taken_for_a_share() -> None:
    begun = points(
        (SPACE[0], parameter("double", "min_samples_leaf", min="0.001", max="0.1"), SPACE[2]),
        1 + len(FOREST),
    )
    assert len({point["min_samples_leaf"] for point in begun[1:]}) == len(FOREST)
    assert [int(point["max_depth"]) for point in begun[1:]] == [
        known["max_depth"] for known in FOREST
    ]


def test_points_of_which_a_space_has_next_to_nothing_are_left_out_and_none_comes_twice() -> None:
    counts = (
        parameter("int", "max_features", min="1", max="10"),
        parameter("int", "max_samples", min="10", max="100"),
    )
    assert portfolio_points(counts, {}) == []
    assert "good on other data" not in describe_sampler("tunegate", counts)
    narrow = (
        parameter("int", "max_depth", min="10", max="12"),
        parameter("int", "min_samples_leaf", min="1", max="2"),
    )
    assert (
        len({tuple(point.values()) for point in portfolio_points(narrow, {})})
        == len(portfolio_points(narrow, {}))
        == 4
    )


def test_it_is_said() -> None:
    assert f"begins with {len(FOREST)} points that are good on other data" in describe_sampler(
        "tunegate", SPACE
    )
    assert "good on other data" not in describe_sampler("tunegate", SPACE, {"portfolio": "none"})
    assert "good on other data" in describe_sampler("tpe", SPACE)
    assert "good on other data" not in describe_sampler("random", SPACE)


@st.composite
def forests(draw: st.DrawFn) -> tuple[Parameter, ...]:
    """Spaces with some of a forest's names, each with a range or list of its own."""
    low = draw(st.floats(0.1, 0.9))
    kinds = {
        "max_features": st.sampled_from(
            [
                parameter("double", "max_features", min=str(low), max=str(low + 0.1)),
                parameter("categorical", "max_features", list=["sqrt", "log2", "0.35"]),
                parameter("discrete", "max_features", list=["0.2", "0.5", "1"]),
            ]
        ),
        "max_depth": st.builds(
            lambda least, width: parameter(
                "int", "max_depth", min=str(least), max=str(least + width)
            ),
            st.integers(1, 40),
            st.integers(1, 40),
        ),
        "min_samples_leaf": st.builds(
            lambda kind: parameter(
                "int", "min_samples_leaf", min="3", max="60", step="4", distribution=kind
            ),
            st.sampled_from(["uniform", "logUniform"]),
        ),
        "bootstrap": st.just(parameter("categorical", "bootstrap", list=["True", "False"])),
    }
    names = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=2, unique=True))
    return tuple(draw(kinds[name]) for name in names)


@given(forests(), st.integers(1, 12), st.integers(0, 5))
def test_whatever_the_space_its_points_lie_in_it_and_differ(
    space: tuple[Parameter, ...], count: int, seed: int
) -> None:
    search = Search(space, "tunegate", {}, minimize=True, seed=seed, first={})
    found = search.ask([], count)
    assert all(p.contains(point[p.name]) for point in found for p in space)
    assert len({tuple(point.values()) for point in found}) == min(
        count, math.prod(p.size for p in space)
    )
    if len(found) == count < math.prod(p.size for p in space):
        more = search.ask([TrialRecord(point, "running") for point in found], 2)
        assert not {tuple(point.values()) for point in found} & {
            tuple(point.values()) for point in more
        }
