"""The first point, which the user knows something about, and the settings that samplers take."""

import pytest
from support.katib.search_spaces import parameter

from katib.search.sampler import Assignments, Search, TrialRecord

SPACE = (
    parameter("int", "--max-depth", min="4", max="30"),
    parameter("double", "max_features", min="0.15", max="1.0"),
    parameter("int", "leaf", min="1", max="20", distribution="logUniform"),
    parameter("discrete", "size", list=["1", "10", "100"]),
    parameter("categorical", "bootstrap", list=["true", "false"]),
    parameter("double", "noise", min="-1", max="1", distribution="normal"),
)
NAMES = [p.name for p in SPACE]
ALGORITHMS = ("random", "tpe", "multivariate-tpe", "bayesianoptimization", "cmaes")


def first_point(
    algorithm: str = "tpe", seen: tuple[TrialRecord, ...] = (), **first: object
) -> Assignments:
    return Search(SPACE, algorithm, {}, minimize=True, seed=3, first=first).ask(list(seen), 2)[0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_first_point_is_the_given_one(algorithm: str) -> None:
    given = {
        "max_depth": 9,
        "max_features": 0.3,
        "leaf": 2,
        "size": 10,
        "bootstrap": False,
        "noise": 0.25,
    }
    point = first_point(algorithm, **given)
    assert {name: point[name] for name in NAMES[:5]} == dict(
        zip(NAMES, ["9", "0.3", "2", "10", "false"], strict=False)
    )
    assert float(point["noise"]) == pytest.approx(0.25)


def test_values_out_of_the_space_are_clipped_and_none_is_the_largest() -> None:
    point = first_point(max_depth=None, max_features=7, leaf=0, size=None, bootstrap=True)
    assert [point[name] for name in NAMES[:5]] == ["30", "1.0", "1", "100", "true"]


def test_what_is_not_named_or_means_nothing_here_is_left_to_the_sampler() -> None:
    point = first_point(max_depth=9, max_features="sqrt", unknown=1)
    other = Search(
        SPACE, "tpe", {}, minimize=True, seed=4, first={"max_depth": 9, "max_features": "sqrt"}
    ).ask([], 1)[0]
    assert (point["--max-depth"], other["--max-depth"]) == ("9", "9")
    assert point["max_features"] != other["max_features"]
    assert all(p.contains(point[p.name]) for p in SPACE)


def test_only_the_very_first_point_is_the_given_one() -> None:
    points = Search(SPACE, "tpe", {}, minimize=True, seed=3, first={"max_depth": 9}).ask([], 8)
    assert points[0]["--max-depth"] == "9"
    assert {point["--max-depth"] for point in points[1:]} != {"9"}
    later = [
        first_point(seen=(TrialRecord(points[0], "failed"),), max_depth=value)["--max-depth"]
        for value in (9, 17)
    ]
    assert later[0] == later[1]


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [("tpe", "n_startup_trials"), ("bayesianoptimization", "n_initial_points")],
)
def test_the_number_of_startup_trials_is_a_setting(algorithm: str, name: str) -> None:
    line = (parameter("double", "x", min="0", max="1"),)
    seen = [TrialRecord({"x": f"{i / 20}"}, "complete", float(i)) for i in range(8)]

    def ask(count: str, history: list[TrialRecord]) -> list[Assignments]:
        return Search(line, algorithm, {name: count}, minimize=True, seed=5, first={}).ask(
            history, 1
        )

    worse = [TrialRecord(trial.assignments, "complete", -(trial.value or 0)) for trial in seen]
    assert ask("9", seen) == ask("9", worse)  # still random: what the trials gave does not matter
    assert ask("4", seen) != ask("4", worse)


@pytest.mark.parametrize("name", ["n_EI_candidates", "n_ei_candidates"])
def test_the_number_of_candidates_is_a_setting(name: str) -> None:
    line = (parameter("double", "x", min="0", max="1"),)
    seen = [TrialRecord({"x": f"{i / 20}"}, "complete", float(i)) for i in range(15)]
    few, many = (
        Search(line, "tpe", {name: n}, minimize=True, seed=5, first={}).ask(seen, 3)
        for n in ("1", "24")
    )
    assert few != many


def test_trials_of_another_space_teach_nothing_but_are_no_error() -> None:
    line = (parameter("double", "x", min="0", max="1"),)
    what = Search(line, "tpe", {}, minimize=True, seed=5, first={})
    assert len(what.ask([TrialRecord({"x": "7.5"}, "complete", 1.0)], 2)) == 2


def test_cmaes_searches_categories_alone_at_random() -> None:
    only = (
        parameter("categorical", "a", list=list("abcdefgh")),
        parameter("categorical", "b", list=list("ijkl")),
    )
    what = Search(only, "cmaes", {}, minimize=True, seed=1, first={})
    seen = [TrialRecord(point, "complete", float(i)) for i, point in enumerate(what.ask([], 12))]
    assert len(what.ask(seen, 4)) == 4
