"""Hyperparameters: what the limits allow, what is refused beyond them, and the messages."""

import pytest

from trainer import ParameterError
from trainer.hyperparameters import (
    hyperparameter_help,
    parse_hyperparameters,
    values_of_learner,
)
from trainer.learners import LEARNERS
from trainer.learners.random_forest import RandomForest
from trainer.learners.xgboost import XGBoost

INTEGERS = [
    ("random_forest", "n_estimators", 1, 10_000),
    ("random_forest", "max_depth", 1, 1000),
    ("random_forest", "min_samples_split", 2, 100_000),
    ("random_forest", "min_samples_leaf", 1, 100_000),
    ("xgboost", "n_estimators", 1, 10_000),
    ("xgboost", "max_depth", 1, 30),
]
SHARES = [
    ("random_forest", "max_features"),
    ("random_forest", "max_samples"),
    ("xgboost", "learning_rate"),
    ("xgboost", "subsample"),
    ("xgboost", "colsample_bytree"),
]
WEIGHTS = [("xgboost", "min_child_weight"), ("xgboost", "reg_lambda")]
CHOICES = [("random_forest", "bootstrap"), ("random_forest", "criterion")]
ALL = [(case[0], case[1]) for case in (*INTEGERS, *SHARES, *WEIGHTS, *CHOICES)]
NASTY = [
    "",
    " ",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1e400",
    "0x10",
    "1,5",
    "1 2",
    "²",
    "[1]",
    "null",
    "-1",
]
NOT_NONE = [
    case for case in ALL if case[1] != "max_samples" and case != ("random_forest", "max_depth")
]


def parsed_value(algorithm: str, name: str, text: object) -> object:
    return getattr(parse_hyperparameters(algorithm, {name: text}), name)


def refusal_of(algorithm: str, name: str, text: object) -> str:
    with pytest.raises(ParameterError) as caught:
        parse_hyperparameters(algorithm, {name: text})
    message = str(caught.value)
    assert message.startswith(f"--{name.replace('_', '-')}: {text!r} is not allowed: ")
    return message


OTHERS = [
    (algorithm, name)
    for algorithm, learner in LEARNERS.items()
    for name in learner.parameters.model_fields
    if algorithm not in {"random_forest", "xgboost"}
]


def test_every_parameter_is_tested_here() -> None:
    assert {
        (algorithm, name)
        for algorithm, learner in LEARNERS.items()
        for name in learner.parameters.model_fields
    } == {*ALL, *OTHERS}


@pytest.mark.parametrize(("algorithm", "name"), OTHERS)
def test_other_learners_take_their_searched_range_and_refuse_what_is_no_value(
    algorithm: str, name: str
) -> None:
    kind = LEARNERS[algorithm].parameters
    searched = kind.searched().get(name)
    if searched:
        assert searched.low < searched.high
        for value in (searched.low, searched.high):
            assert parsed_value(algorithm, name, str(value)) == value
    for text in ("", "nan", "inf", "1,5", "-1", "[1]"):
        assert refusal_of(algorithm, name, text).endswith(str(kind.model_fields[name].description))


def test_learners_that_agree_on_a_parameter_share_its_description() -> None:
    assert hyperparameter_help()["num_leaves"] == "lightgbm: an integer from 2 to 10000"
    assert "extra_trees, gradient_boosting" in hyperparameter_help()["n_estimators"]


def test_an_unknown_learner_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ParameterError, match=r"^--model: no learner forest\n") as caught:
        parse_hyperparameters("forest", {})
    assert caught.value.hint == f"learners: {', '.join(LEARNERS)}"


@pytest.mark.parametrize(("algorithm", "name", "low", "high"), INTEGERS)
def test_an_integer_is_taken_up_to_its_edges_and_refused_beyond_with_its_range(
    algorithm: str, name: str, low: int, high: int
) -> None:
    assert [parsed_value(algorithm, name, str(edge)) for edge in (low, high)] == [low, high]
    assert all(
        f"an integer from {low} to {high}" in refusal_of(algorithm, name, str(n))
        for n in (low - 1, high + 1)
    )


@pytest.mark.parametrize(("algorithm", "name", "low", "high"), INTEGERS)
def test_an_integer_may_arrive_as_a_real_number_and_is_rounded(
    algorithm: str, name: str, low: int, high: int
) -> None:
    assert [parsed_value(algorithm, name, text) for text in ("3.7", "4.0", "4.2", 3.7)] == [
        4,
        4,
        4,
        4,
    ]
    assert parsed_value(algorithm, name, f"{low - 0.4}") == low
    assert parsed_value(algorithm, name, f"{high + 0.4}") == high
    refusal_of(algorithm, name, f"{high + 0.6}")


@pytest.mark.parametrize(("algorithm", "name"), SHARES)
def test_a_share_is_above_0_and_up_to_1(algorithm: str, name: str) -> None:
    assert [parsed_value(algorithm, name, text) for text in ("1", "1.0", "1e-3", "0.50000")] == [
        1.0,
        1.0,
        0.001,
        0.5,
    ]
    assert all(
        "above 0 and up to 1" in refusal_of(algorithm, name, text)
        for text in ("0", "-0", "-0.1", "1.0001", "1e3")
    )


@pytest.mark.parametrize(("algorithm", "name"), WEIGHTS)
def test_a_weight_is_at_least_0(algorithm: str, name: str) -> None:
    assert [parsed_value(algorithm, name, text) for text in ("0", "-0", "0.5", "1e3")] == [
        0,
        0,
        0.5,
        1000,
    ]
    assert "a number of at least 0" in refusal_of(algorithm, name, "-0.001")


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize(("algorithm", "name"), ALL)
def test_a_nasty_value_is_refused_with_what_is_allowed(
    algorithm: str, name: str, text: str
) -> None:
    assert refusal_of(algorithm, name, text).endswith(
        str(LEARNERS[algorithm].parameters.model_fields[name].description)
    )


@pytest.mark.parametrize(("algorithm", "name"), [case for case in ALL if case[1] != "bootstrap"])
def test_a_truth_value_is_no_number(algorithm: str, name: str) -> None:
    refusal_of(algorithm, name, "True")


@pytest.mark.parametrize(("algorithm", "name", "low", "high"), INTEGERS)
def test_an_exponent_is_read_as_the_number_it_is(
    algorithm: str, name: str, low: int, high: int
) -> None:
    if high >= 1000:
        assert parsed_value(algorithm, name, "1e3") == 1000
    else:
        refusal_of(algorithm, name, "1e3")


@pytest.mark.parametrize("name", ["max_depth", "max_samples"])
@pytest.mark.parametrize("text", ["none", "None", None])
def test_none_is_a_value_where_the_range_says_so(name: str, text: str | None) -> None:
    assert "none" in str(RandomForest.model_fields[name].description)
    assert parsed_value("random_forest", name, text) is None


@pytest.mark.parametrize(("algorithm", "name"), NOT_NONE)
def test_none_is_refused_elsewhere(algorithm: str, name: str) -> None:
    refusal_of(algorithm, name, "none")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_bootstrap_is_true_or_false(text: str, expected: bool) -> None:  # noqa: FBT001
    assert parsed_value("random_forest", "bootstrap", text) is expected
    assert refusal_of("random_forest", "bootstrap", "2").endswith("true or false")


@pytest.mark.parametrize("text", ["sqrt", "log2"])
def test_max_features_may_be_a_rule(text: str) -> None:
    assert parsed_value("random_forest", "max_features", text) == text


@pytest.mark.parametrize(
    ("algorithm", "other"), [("random_forest", XGBoost), ("xgboost", RandomForest)]
)
def test_a_parameter_of_the_other_learner_is_refused_by_name(
    algorithm: str, other: type[RandomForest | XGBoost]
) -> None:
    foreign = sorted(set(other.model_fields) - set(LEARNERS[algorithm].parameters.model_fields))
    with pytest.raises(ParameterError) as caught:
        parse_hyperparameters(algorithm, dict.fromkeys(foreign, "1"))
    expected = [f"--{name.replace('_', '-')}: not a parameter of {algorithm}" for name in foreign]
    assert str(caught.value).split("; ") == expected


def test_every_wrong_value_is_named_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        parse_hyperparameters(
            "random_forest",
            {"max_depth": "0", "n_estimators": "many", "min_samples_leaf": "2", "gamma": "1"},
        )
    message = str(caught.value)
    assert all(
        part in message
        for part in ("--max-depth: '0'", "--n-estimators: 'many'", "--gamma: not a parameter")
    )
    assert "min-samples-leaf" not in message


@pytest.mark.parametrize(
    ("task", "criteria", "max_features"),
    [
        ("regression", ["squared_error", "absolute_error", "poisson"], 1.0),
        ("classification", ["gini", "entropy", "log_loss"], "sqrt"),
    ],
)
def test_the_task_decides_what_is_left_open(
    task: str, criteria: list[str], max_features: object
) -> None:
    filled = parse_hyperparameters("random_forest", {}).for_task(task)
    assert (filled.criterion, filled.max_features) == (criteria[0], max_features)
    for criterion in criteria:
        assert (
            parse_hyperparameters("random_forest", {"criterion": criterion})
            .for_task(task)
            .criterion
            == criterion
        )


@pytest.mark.parametrize(
    ("task", "criterion", "allowed"),
    [
        ("regression", "gini", "squared_error, absolute_error, poisson"),
        ("regression", "log_loss", "squared_error, absolute_error, poisson"),
        ("classification", "squared_error", "gini, entropy, log_loss"),
        ("classification", "poisson", "gini, entropy, log_loss"),
    ],
)
def test_a_criterion_of_the_other_task_is_refused_with_those_that_fit(
    task: str, criterion: str, allowed: str
) -> None:
    with pytest.raises(
        ParameterError, match=f"^--criterion: {criterion} is not for {task}\n"
    ) as caught:
        parse_hyperparameters("random_forest", {"criterion": criterion}).for_task(task)
    assert caught.value.hint == f"allowed: {allowed}"


def test_poisson_wants_a_target_that_is_never_negative() -> None:
    poisson = parse_hyperparameters("random_forest", {"criterion": "poisson"})
    assert poisson.for_task("regression", smallest_target=0.0).criterion == "poisson"
    with pytest.raises(
        ParameterError, match="poisson needs a target that is never negative"
    ) as caught:
        poisson.for_task("regression", smallest_target=-0.001)
    assert caught.value.hint == "use squared_error"


@pytest.mark.parametrize(("bootstrap", "expected"), [("true", 0.5), ("false", None)])
def test_max_samples_is_dropped_where_nothing_is_sampled(
    bootstrap: str, expected: float | None
) -> None:
    chosen = parse_hyperparameters("random_forest", {"bootstrap": bootstrap, "max_samples": "0.5"})
    assert chosen.for_task("regression").max_samples == expected


@pytest.mark.parametrize("algorithm", list(LEARNERS))
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_complete_parameters_come_back_as_they_were(algorithm: str, task: str) -> None:
    complete = parse_hyperparameters(algorithm, {}).for_task(task)
    assert (
        parse_hyperparameters(algorithm, complete.model_dump(mode="json")).for_task(task)
        == complete
    )


def test_xgboost_needs_no_task() -> None:
    chosen = parse_hyperparameters("xgboost", {"max_depth": "3.7", "learning_rate": "0.05"})
    assert chosen.for_task("classification", smallest_target=-5) == chosen
    assert (chosen.max_depth, chosen.n_estimators) == (4, 100)


def test_a_name_with_the_learner_in_front_counts_for_that_learner_alone() -> None:
    given = {
        "n_estimators": "50",
        "lightgbm_n_estimators": "70",
        "lightgbm_learning_rate": "0.2",
        "random_forest_max_depth": "5",
    }
    assert values_of_learner("lightgbm", given) == (
        {"n_estimators": "70", "learning_rate": "0.2"},
        ["random_forest"],
    )
    assert values_of_learner("xgboost", given) == (
        {"n_estimators": "50"},
        ["lightgbm", "random_forest"],
    )


def test_a_wrong_value_of_another_learner_is_refused_by_the_flag_that_gave_it() -> None:
    given = {"hist_gradient_boosting_l2_regularization": "-1"}
    words = "--hist-gradient-boosting-l2-regularization: '-1' is not allowed: a number of at least"
    with pytest.raises(ParameterError, match=words):
        values_of_learner("random_forest", given)
