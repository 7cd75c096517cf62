"""Optuna's TPE: what we give it of scales, conditions, failures and earlier trials."""

import json
from collections import Counter
from collections.abc import Mapping
from statistics import fmean, median

import pytest
from support.katib.search_spaces import parameter

from katib.errors import InvalidExperiment
from katib.search.sampler import Assignments, Search, TrialRecord
from katib.space import Parameter

CONDITIONS = json.dumps({"share": {"draw": ["true"]}})
DRAW = (
    parameter("categorical", "draw", list=["true", "false"]),
    parameter("double", "share", min="0.5", max="1"),
    parameter("int", "leaf", min="1", max="20", distribution="logUniform"),
)
PLANE = tuple(parameter("double", name, min="0", max="1") for name in ("x", "y"))


def search(
    space: tuple[Parameter, ...],
    *,
    earlier: tuple[TrialRecord, ...] = (),
    seed: int = 1,
    **settings: str,
) -> Search:
    return Search(space, "tunegate", settings, minimize=True, seed=seed, first={}, earlier=earlier)


def told(point: Assignments) -> TrialRecord:
    idle = point["draw"] == "false"
    loss = float(point["leaf"]) / 10 + (0.5 if idle else 1.2 * float(point["share"]))
    return TrialRecord(point, "complete", loss)


def run(what: Search, *, trials: int) -> list[TrialRecord]:
    seen: list[TrialRecord] = []
    while len(seen) < trials:
        seen += [told(point) for point in what.ask(seen, 4)]
    return seen


def distance(seen: list[TrialRecord]) -> list[TrialRecord]:
    return [TrialRecord(t.assignments, "complete", far(t.assignments)) for t in seen]


def far(point: Mapping[str, str]) -> float:
    return (float(point["x"]) - 0.7) ** 2 + (float(point["y"]) - 0.2) ** 2


def test_an_idle_parameter_has_one_value_so_no_two_points_are_one_in_effect() -> None:
    seen = run(search(DRAW, conditions=CONDITIONS), trials=32)
    idle = [trial.assignments for trial in seen if trial.assignments["draw"] == "false"]
    assert len(idle) > 5
    assert {point["share"] for point in idle} == {"0.75"}
    assert max(Counter(point["leaf"] for point in idle).values()) == 1
    assert len({trial.assignments["share"] for trial in seen}) > 5


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ('{"share": {"drew": ["true"]}}', "there is no parameter drew"),
        ('{"shore": {"draw": ["true"]}}', "there is no parameter shore"),
        ('{"share": {"draw": ["yes"]}}', "'yes' is not a value of draw (true, false)"),
        ('{"share": {"leaf": ["3"]}}', "'3' is not a value of leaf (a range)"),
        (
            '{"share": {"draw": ["true"]}, "draw": {"draw": ["true"]}}',
            "may depend on one parameter",
        ),
        ('{"share": "draw"}', "not of the form"),
        ('{"share": {"draw": [true]}}', "not of the form"),
        ('{"share": {"draw": []}}', "share would never count"),
        ("[" * 50_000, "not of the form"),
    ],
)
def test_conditions_that_make_no_sense_are_named(conditions: str, words: str) -> None:
    with pytest.raises(InvalidExperiment, match="conditions") as caught:
        search(DRAW, conditions=conditions).ask([], 1)
    assert words in str(caught.value)


@pytest.mark.parametrize(("scales", "low", "high"), [("auto", 20, 30), ("declared", 0, 4)])
def test_numbers_that_span_orders_of_magnitude_are_searched_on_a_log_scale(
    scales: str, low: int, high: int
) -> None:
    wide = (
        parameter("int", "trees", min="1", max="1000"),
        parameter("double", "rate", min="0.001", max="1"),
    )
    points = search(wide, scales=scales, n_initial_points="50").ask([], 50)
    assert low <= sum(int(point["trees"]) <= 32 for point in points) <= high
    assert low <= sum(float(point["rate"]) <= 0.0316 for point in points) <= high


def test_it_comes_closer_than_chance_in_as_many_trials() -> None:
    ends: dict[str, list[float]] = {"tunegate": [], "random": []}
    for algorithm, found in ends.items():
        for seed in range(5):
            what = Search(PLANE, algorithm, {}, minimize=True, seed=seed, first={})
            seen = list[TrialRecord]()
            while len(seen) < 20:
                seen = distance(
                    [*seen, *(TrialRecord(point, "running") for point in what.ask(seen, 4))]
                )
            found.append(min(trial.value or 0 for trial in seen))
    assert median(ends["tunegate"]) < median(ends["random"]) / 2


def test_a_point_that_failed_is_not_tried_again() -> None:
    small = (parameter("int", "a", min="1", max="6"), parameter("int", "b", min="1", max="6"))
    seen = [
        TrialRecord({"a": str(a), "b": str(b)}, "complete", a + b)
        for a in range(3, 7)
        for b in range(3, 7)
    ]
    best = search(small).ask(seen, 1)[0]
    assert search(small).ask([*seen, TrialRecord(best, "failed")], 1)[0] != best


@pytest.mark.parametrize("minimize", [True, False])
@pytest.mark.parametrize("algorithm", ["tunegate", "bayesianoptimization", "tpe"])
def test_a_half_without_numbers_gets_less_than_half_of_the_trials(
    algorithm: str, *, minimize: bool
) -> None:
    """The best point lies next to the half whose trials fail."""
    sign = 1 if minimize else -1
    failed = []
    for seed in range(5):
        what = Search(PLANE, algorithm, {}, minimize=minimize, seed=seed, first={})
        seen = list[TrialRecord]()
        while len(seen) < 40:
            for point in what.ask(seen, 4):
                if float(point["x"]) > 0.72:
                    seen.append(TrialRecord(point, "complete", sign * far(point)))
                else:
                    seen.append(TrialRecord(point, "failed"))
        failed.append(sum(trial.state == "failed" for trial in seen[20:]))
    assert median(failed) < 20 * 0.72 - 2


@pytest.mark.parametrize("complete", [0, 1, 2])
def test_a_failed_trial_is_never_an_example_to_follow(complete: int) -> None:
    """Nearly all trials fail, on one spot: the next points lie elsewhere."""
    spot = [{"x": f"{0.5 + i / 1000}", "y": f"{0.5 - i / 1000}"} for i in range(40)]
    seen = [TrialRecord(point, "failed") for point in spot]
    for i in range(complete):
        point = {"x": "0.1", "y": f"{0.9 + i / 100}"}
        seen.append(TrialRecord(point, "complete", far(point)))
    near = [
        point
        for seed in range(5)
        for point in search(PLANE, seed=seed).ask(seen, 4)
        if abs(float(point["x"]) - 0.5) < 0.1 and abs(float(point["y"]) - 0.5) < 0.1
    ]
    assert near == []


def test_the_value_of_an_inactive_parameter_teaches_nothing() -> None:
    def ask(share: float, **settings: str) -> list[Assignments]:
        """Ask after 40 trials; those in which `share` is inactive have this value of it."""
        seen = []
        for i in range(40):
            draw = ("true", "false")[i % 2]
            value = 0.5 + i / 80 if draw == "true" else share + i / 10_000
            point = {"draw": draw, "share": f"{value}", "leaf": f"{1 + i // 2}"}
            seen.append(TrialRecord(point, "complete", float(i)))
        return search(DRAW, **settings).ask(seen, 4)

    assert ask(0.6, conditions=CONDITIONS) == ask(0.9, conditions=CONDITIONS)
    assert ask(0.6) != ask(0.9)


def test_running_trials_keep_others_away() -> None:
    seen = distance(
        [
            TrialRecord(point, "running")
            for point in search(PLANE, n_initial_points="12").ask([], 12)
        ]
    )
    points = search(PLANE).ask(seen, 4)
    pairs = [
        abs(float(a["x"]) - float(b["x"])) + abs(float(a["y"]) - float(b["y"]))
        for a in points
        for b in points
    ]
    assert sorted(pairs)[4] > 0.01


def test_earlier_trials_are_learnt_from_and_take_the_place_of_the_design() -> None:
    earlier = tuple(
        distance(
            [
                TrialRecord(point, "running")
                for point in search(PLANE, n_initial_points="12").ask([], 12)
            ]
        )
    )
    cold, warm = (
        fmean(map(far, search(PLANE, earlier=known, seed=2).ask([], 4))) for known in ((), earlier)
    )
    assert warm < cold


def test_more_trials_than_it_learns_from_are_no_trouble() -> None:
    points = Search(PLANE, "random", {}, minimize=True, seed=3, first={}).ask([], 600)
    seen = distance([TrialRecord(point, "running") for point in points])
    assert far(search(PLANE).ask(seen, 1)[0]) < 0.01


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e308])
def test_losses_of_any_size_are_no_trouble(scale: float) -> None:
    points = search(PLANE, n_initial_points="9").ask([], 9)
    seen = [TrialRecord(point, "complete", scale * (-1) ** i) for i, point in enumerate(points)]
    assert len(search(PLANE).ask(seen, 4)) == 4


def test_how_far_off_a_trial_is_that_diverges_makes_no_difference() -> None:
    ends: dict[float, list[float]] = {1e2: [], 1e4: [], 1e10: []}
    for far_off, found in ends.items():
        for seed in range(3):
            what = search(PLANE, seed=seed)
            seen = list[TrialRecord]()
            while len(seen) < 24:
                point = what.ask(seen, 1)[0]
                loss = far_off if float(point["x"]) > 0.9 else far(point)
                seen.append(TrialRecord(point, "complete", loss))
            found.append(min(trial.value or 0 for trial in seen))
    assert ends[1e2] == ends[1e4] == ends[1e10]
    assert median(ends[1e2]) < 2e-3


def test_a_range_of_many_whole_numbers_is_searched_to_its_end() -> None:
    line = (parameter("int", "n", min="1", max="1000000"),)
    what = search(line)
    seen = list[TrialRecord]()
    while len(seen) < 20:
        point = what.ask(seen, 1)[0]
        seen.append(TrialRecord(point, "complete", float(point["n"])))
    tried = [int(trial.assignments["n"]) for trial in seen]
    assert min(tried) == 1
    assert sum(n < 100 for n in tried) > 8


def test_a_huge_space_with_few_points_in_effect_ends() -> None:
    space = (
        parameter("categorical", "m", list=["a", "b"]),
        parameter("int", "k", min="1", max="1000000000"),
    )
    what = search(space, conditions='{"k": {"m": ["b"]}}')
    seen = [TrialRecord(point, "complete", float(point["m"] == "b")) for point in what.ask([], 6)]
    assert len(what.ask(seen, 3)) == 3


def test_more_initial_points_than_anybody_needs_are_no_trouble() -> None:
    assert len(search(PLANE, n_initial_points="1000000000").ask([], 2)) == 2


def test_trials_that_the_service_has_not_heard_of_are_not_suggested_again() -> None:
    line = (parameter("double", "x", min="0.001", max="1", distribution="logUniform"),)
    points: list[Assignments] = []
    for number in range(
        12
    ):  # Katib sends no trial that it is about to make; the best point lies at an edge
        heard_of = [
            TrialRecord(point, "complete", float(point["x"]))
            for point in points[: max(0, number - 2)]
        ]
        points += search(line).ask(heard_of, 1, asked=number)
    assert len({point["x"] for point in points}) == 12
