"""What every sampler promises: feasible points, none twice, decided by seed and history alone."""

import json
import math
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.katib.search_spaces import PARAMETERS, parameter

from katib.errors import SpaceExhausted
from katib.search.sampler import Assignments, Search, TrialRecord
from katib.space import Parameter

ALGORITHMS = ("random", "tpe", "multivariate-tpe", "bayesianoptimization", "cmaes", "sobol")
SPACE = (
    parameter("double", "rate", min="0.001", max="1", distribution="logUniform"),
    parameter("int", "depth", min="1", max="30"),
    parameter("double", "share", min="0.1", max="0.7", step="0.1"),
    parameter("discrete", "size", list=["0.5", "2", "10"]),
    parameter("categorical", "loss", list=["squared", "absolute"]),
    parameter("double", "noise", min="-1", max="1", distribution="normal"),
)
STATES = ("complete", "complete", "complete", "failed", "running")
SMALL = (parameter("int", "a", min="1", max="3"), parameter("categorical", "b", list=["x", "y"]))


def search(algorithm: str, parameters: Sequence[Parameter] = SPACE, **options: object) -> Search:
    choices = {"settings": {}, "minimize": True, "seed": 7, "first": {}, **options}
    return Search(tuple(parameters), algorithm, **choices)  # type: ignore[arg-type]


def told(points: Sequence[Assignments]) -> list[TrialRecord]:
    """Give each point an end: most complete with some loss, others failed or still running."""
    return [
        TrialRecord(point, STATES[i % 5], math.sin(len(str(point)) + i) if i % 5 < 3 else None)  # type: ignore[arg-type]
        for i, point in enumerate(points)
    ]


def asked(what: Search, *, batches: int, size: int) -> list[Assignments]:
    points: list[Assignments] = []
    for _ in range(batches):
        points += what.ask(told(points), size)
    return points


def distinct(points: Sequence[Assignments]) -> int:
    return len({json.dumps(point, sort_keys=True) for point in points})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_points_are_feasible_distinct_and_as_many_as_wanted(algorithm: str) -> None:
    points = asked(search(algorithm), batches=8, size=4)
    assert len(points) == distinct(points) == 32
    for point in points:
        assert list(point) == [p.name for p in SPACE]
        assert all(p.contains(point[p.name]) for p in SPACE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_large_batch_is_filled(algorithm: str) -> None:
    assert distinct(search(algorithm).ask([], 70)) == 70


@settings(deadline=None, max_examples=40)
@given(
    st.lists(PARAMETERS, min_size=1, max_size=3),
    st.sampled_from(ALGORITHMS),
    st.integers(0, 2**40),
    st.integers(1, 4),
)
def test_in_any_space_points_are_feasible_and_new(
    parameters: list[Parameter], algorithm: str, seed: int, size: int
) -> None:
    named = [
        Parameter(f"p{i}", *[getattr(p, n) for n in Parameter.__slots__[1:]])
        for i, p in enumerate(parameters)
    ]
    what = search(algorithm, named, seed=seed)
    room = math.prod(p.size for p in named)
    points = what.ask([], min(size, room))
    points += what.ask(told(points), min(size, room - len(points))) if len(points) < room else []
    assert distinct(points) == min(2 * size, room)
    assert all(p.contains(point[p.name]) for p in named for point in points)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "grid"])
def test_a_finite_space_is_found_whole_and_then_ends(algorithm: str) -> None:
    what = search(algorithm, SMALL)
    points = list[Assignments]()
    while len(points) < 6:
        points += what.ask(told(points), 4)
    assert len(points) == distinct(points) == 6
    with pytest.raises(SpaceExhausted) as ended:
        what.ask(told(points), 1)
    assert ended.value.hint


def test_the_end_of_a_space_gives_what_is_left() -> None:
    what = search("tpe", SMALL)
    assert len(what.ask([], 100)) == 6


def test_grid_goes_through_every_combination_the_first_parameter_slowest() -> None:
    points = search("grid", SMALL).ask([], 6)
    assert [point["a"] + point["b"] for point in points] == ["1x", "1y", "2x", "2y", "3x", "3y"]


@pytest.mark.parametrize("state", ["failed", "running", "complete"])
@pytest.mark.parametrize("algorithm", ["random", "tpe", "grid"])
def test_no_point_is_asked_for_again_whatever_became_of_it(algorithm: str, state: str) -> None:
    what = search(algorithm, SMALL)
    points = what.ask([], 5)
    seen = [TrialRecord(point, state, 1.0 if state == "complete" else None) for point in points]  # type: ignore[arg-type]
    (last,) = what.ask(seen, 3)
    assert last not in points


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "tunegate", "grid"])
def test_what_an_earlier_search_has_tried_is_not_tried_again(algorithm: str) -> None:
    space = (
        parameter("int", "a", min="1", max="6"),
        parameter("double", "b", min="0", max="1", step="0.25"),
    )
    old = search(algorithm, space).ask([], 12)
    first = {name: float(value) for name, value in old[0].items()}  # as defaults are, in every run
    elsewhere = [{"a": "99", "b": "0.5"}, {"a": "1"}, {"a": "1", "c": "x"}]
    earlier = tuple(
        TrialRecord(point, "complete", float(i)) for i, point in enumerate([*old, *elsewhere])
    )
    what = search(algorithm, space, first=first, earlier=earlier)
    new = list[Assignments]()
    while len(new) < 18:
        new += what.ask(told(new), 4)
    assert distinct([*old, *new]) == 30
    with pytest.raises(SpaceExhausted):
        what.ask(told(new), 1)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "grid"])
def test_an_earlier_point_in_another_writing_is_the_same_point(algorithm: str) -> None:
    space = (
        parameter("double", "x", min="0", max="1", step="0.5"),
        parameter("int", "n", min="1", max="29"),
    )
    earlier = tuple(
        TrialRecord({"x": x, "n": f"{n}"}, "complete", 1.0)
        for x in ("0", "0.50")
        for n in range(1, 30)
    )
    points = search(algorithm, space, earlier=earlier).ask([], 60)
    assert sorted(point["n"] for point in points) == sorted(f"{n}" for n in range(1, 30))
    assert {point["x"] for point in points} == {"1.0"}


def test_a_sobol_sequence_goes_on_where_the_earlier_search_has_left_it() -> None:
    whole = search("sobol").ask([], 64)
    assert search("sobol", earlier=tuple(told(whole[:48]))).ask([], 16) == whole[48:]


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "grid"])
def test_asking_twice_gives_the_same(algorithm: str) -> None:
    parameters = SMALL if algorithm == "grid" else SPACE
    first = asked(search(algorithm, parameters), batches=2, size=2)
    assert asked(search(algorithm, parameters), batches=2, size=2) == first


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_seed_decides(algorithm: str) -> None:
    assert search(algorithm, seed=1).ask([], 3) != search(algorithm, seed=2).ask([], 3)


def test_the_same_seed_and_history_give_the_same_points_in_another_process() -> None:
    points = {name: asked(search(name), batches=1, size=12) for name in ALGORITHMS}
    script = """
        import json, sys, test_sampler as t
        history = json.load(sys.stdin)
        found = {name: t.search(name).ask(t.told(points), 3) for name, points in history.items()}
        print(json.dumps(found))
    """
    here = {name: search(name).ask(told(history), 3) for name, history in points.items()}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    paths = [path for path in sys.path if path] + [__file__.rpartition("/")[0]]
    there = subprocess.run(
        command,
        input=json.dumps(points),
        env={"PYTHONPATH": ":".join(paths)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(there.stdout) == here


def test_the_history_decides_what_is_asked_next() -> None:
    points = search("tpe").ask([], 12)
    low = [TrialRecord(point, "complete", float(point["depth"])) for point in points]
    high = [TrialRecord(point, "complete", -float(point["depth"])) for point in points]
    assert search("tpe").ask(low, 3) != search("tpe").ask(high, 3)


@pytest.mark.parametrize("minimize", [True, False])
@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe", "bayesianoptimization", "cmaes"])
def test_a_model_based_search_goes_where_it_is_better(algorithm: str, *, minimize: bool) -> None:
    line = [parameter("double", name, min="0", max="1") for name in ("x", "y")]
    what = search(algorithm, line, minimize=minimize)

    def loss(point: Assignments) -> float:
        distance = (float(point["x"]) - 0.8) ** 2 + (float(point["y"]) - 0.2) ** 2
        return distance if minimize else -distance

    seen: list[TrialRecord] = []
    for _ in range(10):
        seen += [TrialRecord(point, "complete", loss(point)) for point in what.ask(seen, 4)]
    early, late = (
        [abs(loss(trial.assignments)) for trial in part] for part in (seen[:10], seen[-10:])
    )
    assert median(late) < median(early) / 2


def test_a_grid_without_end_is_not_made_whole() -> None:
    wide = (
        parameter("int", "n", min="1", max="1000000000000"),
        parameter("categorical", "c", list=["a", "b"]),
    )
    points = search("grid", wide).ask([], 3)
    assert points == [{"n": "1", "c": "a"}, {"n": "1", "c": "b"}, {"n": "2", "c": "a"}]


@pytest.mark.parametrize("algorithm", ["tunegate", "tpe", "cmaes"])
@pytest.mark.parametrize(
    "wide",
    [
        parameter("double", "x", min="1", max="101", step="0.000000001"),
        parameter("int", "x", min="-1000", max="900000000000000", step="50"),
        parameter("double", "x", min="1", max="1e300", step="0.25"),
        parameter("double", "x", min="1e-300", max="1e300", distribution="logUniform"),
    ],
    ids=["tiny steps", "many steps", "huge with steps", "huge on a log scale"],
)
def test_ranges_beyond_all_measure_are_no_trouble(algorithm: str, wide: Parameter) -> None:
    points = asked(search(algorithm, [wide]), batches=4, size=4)
    assert distinct(points) == 16
    assert all(wide.contains(point["x"]) for point in points)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "grid"])
@pytest.mark.parametrize(
    ("low", "high", "step", "distribution"),
    [
        (2**53 + 1, 2**53 + 61, 2, "uniform"),
        (-(2**59) - 61, -(2**59) - 1, 3, "uniform"),
        (1, 10**18 - 1, 7, "logUniform"),
    ],
)
def test_integers_that_no_float_can_hold_are_searched_exactly(
    algorithm: str, low: int, high: int, step: int, distribution: str
) -> None:
    large = parameter("int", min=str(low), max=str(high), step=str(step), distribution=distribution)
    points = asked(search(algorithm, [large]), batches=5, size=4)
    assert distinct(points) == 20
    assert all(int(point["x"]) in range(low, high + 1, step) for point in points)


def test_cmaes_searches_at_random_where_no_number_has_two_values() -> None:
    space = (
        parameter("categorical", "a", list=list("abcd")),
        parameter("discrete", "b", list=["1"]),
    )
    fixed = (*space, parameter("double", "x", min="0", max="1"))
    for parameters in (fixed, (*space, parameter("categorical", "c", list=list("efghijkl")))):
        assert len(asked(search("cmaes", parameters), batches=5, size=4)) == 20
