"""A search over families of models: what counts for which, and how it begins."""

import pytest
from support.katib.search_spaces import parameter

from katib.search.algorithms import describe_sampler
from katib.search.sampler import Assignments, Search, TrialRecord

SPACE = (
    parameter("categorical", "model", list=["lightgbm", "random_forest", "random_forest_2"]),
    parameter("double", "lightgbm_learning_rate", min="0.01", max="0.3", distribution="logUniform"),
    parameter("int", "random_forest_max_depth", min="2", max="20"),
    parameter("categorical", "random_forest_bootstrap", list=["true", "false"]),
    parameter("double", "random_forest_max_samples", min="0.5", max="1.0"),
    parameter("double", "random_forest_2_alpha", min="0", max="1"),
    parameter("int", "folds", min="2", max="5"),
)
OF_FAMILY = {
    "lightgbm": {"lightgbm_learning_rate"},
    "random_forest": {
        "random_forest_max_depth",
        "random_forest_bootstrap",
        "random_forest_max_samples",
    },
    "random_forest_2": {"random_forest_2_alpha"},
}


def search(
    algorithm: str = "tpe", first: dict[str, object] | None = None, **settings: str
) -> Search:
    return Search(SPACE, algorithm, settings, minimize=True, seed=2, first=first or {})


def loss(point: Assignments) -> float:
    if point["model"] == "lightgbm":
        return abs(float(point["lightgbm_learning_rate"]) - 0.05)
    return 1 + float(point["random_forest_2_alpha"]) + int(point["random_forest_max_depth"]) / 20


def run(what: Search, trials: int) -> list[Assignments]:
    seen: list[TrialRecord] = []
    while len(seen) < trials:
        seen += [TrialRecord(point, "complete", loss(point)) for point in what.ask(seen, 4)]
    return [dict(trial.assignments) for trial in seen]


def counting(point: Assignments) -> tuple[object, ...]:
    """Return the values that count for the point's model."""
    names = ["model", "folds", *sorted(OF_FAMILY[point["model"]])]
    return tuple(point[name] for name in names)


@pytest.mark.parametrize("algorithm", ["tpe", "random", "sobol", "cmaes"])
def test_what_is_of_another_family_has_one_value_and_makes_no_new_point(algorithm: str) -> None:
    points = run(search(algorithm), 32)
    assert {point["model"] for point in points} == set(OF_FAMILY)
    for family, own in OF_FAMILY.items():
        others = set().union(*OF_FAMILY.values()) - own
        mine = [point for point in points if point["model"] == family]
        for name in others:
            assert len({point[name] for point in mine}) == 1
    assert len({counting(point) for point in points}) == len(points)


def test_tpe_settles_on_the_better_family_and_within_it() -> None:
    points = run(search(), 40)
    late = [point for point in points[-12:] if point["model"] == "lightgbm"]
    assert len(late) > 6  # by chance 4
    assert min(loss(point) for point in late) < 0.01


def test_it_begins_with_the_champion_and_one_point_of_each_family() -> None:
    first = {"model": "random_forest", "random_forest_max_depth": 9, "max_depth": 3}
    begun = search(first=first).ask([], 4)
    assert [point["model"] for point in begun] == [
        "random_forest",
        "lightgbm",
        "random_forest",
        "random_forest_2",
    ]
    assert begun[0]["random_forest_max_depth"] == "9"
    assert begun[1]["lightgbm_learning_rate"] == "0.0251"
    assert begun[2]["random_forest_max_depth"] == "7"
    without = search(portfolio="none", algorithm="tunegate", first=first).ask([], 4)
    assert without[0]["random_forest_max_depth"] == "9"
    assert without[1]["lightgbm_learning_rate"] != "0.0251"


def test_a_linear_family_begins_with_its_librarys_penalty() -> None:
    space = (
        parameter("categorical", "model", list=["logistic", "ridge"]),
        parameter("double", "logistic_C", min="0.0001", max="1000", distribution="logUniform"),
        parameter("double", "ridge_alpha", min="0.001", max="10000", distribution="logUniform"),
    )
    begun = Search(space, "tpe", {}, minimize=True, seed=0, first={}).ask([], 2)
    assert (float(begun[0]["logistic_C"]), float(begun[1]["ridge_alpha"])) == (1.0, 1.0)


def test_the_sampler_says_that_it_goes_by_the_names() -> None:
    text = describe_sampler("tpe", SPACE)
    assert "5 parameters belong to one model each, by their names (lightgbm_learning_rate)" in text
    assert text.endswith("; begins with one trial of each of 3 models")


def test_a_stated_condition_adds_to_those_of_the_names() -> None:
    conditions = '{"random_forest_max_samples": {"random_forest_bootstrap": ["true"]}}'
    points = run(search("tunegate", conditions=conditions), 40)
    idle = [p for p in points if p["random_forest_bootstrap"] == "false"]
    idle += [p for p in points if p["model"] != "random_forest"]
    assert {point["random_forest_max_samples"] for point in idle} == {"0.75"}
    active = [p for p in points if p not in idle]
    assert len({point["random_forest_max_samples"] for point in active}) > 1


def test_without_a_parameter_called_model_a_name_means_nothing() -> None:
    space = (parameter("categorical", "kind", list=["svm", "tree"]), *SPACE[1:3])
    points = Search(space, "random", {}, minimize=True, seed=1, first={}).ask([], 8)
    assert len({point["random_forest_max_depth"] for point in points}) > 4
