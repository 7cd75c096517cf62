import pytest
from support.katib.search_spaces import parameter

from katib.search.algorithms import ALGORITHMS, describe_sampler, settings_problems

KATIBS = {
    "random": ["random_state"],
    "grid": ["random_state"],
    "bayesianoptimization": [
        "random_state",
        "base_estimator",
        "n_initial_points",
        "acq_func",
        "acq_optimizer",
    ],
    "tpe": ["random_state", "gamma", "prior_weight", "n_EI_candidates"],
    "multivariate-tpe": ["random_state", "n_startup_trials", "n_ei_candidates"],
    "cmaes": ["random_state", "sigma", "restart_strategy"],
}


def problems(name: str, **settings: str) -> list[str]:
    return [setting for setting, _ in settings_problems(name, settings, {})]


def test_katibs_installed_algorithms_are_known_and_those_for_networks_are_not_run_here() -> None:
    assert {name for name, algorithm in ALGORITHMS.items() if algorithm.local} == {
        *KATIBS,
        "sobol",
        "tunegate",
    }
    assert {name for name, algorithm in ALGORITHMS.items() if not algorithm.local} == {
        "hyperband",
        "pbt",
        "enas",
        "darts",
    }


def test_what_is_assumed_about_scales_is_said() -> None:
    space = (
        parameter("int", "trees", min="10", max="500"),
        parameter("double", "share", min="0.1", max="1"),
    )
    assert describe_sampler("tunegate", space).endswith("taken to be on a log scale: trees")
    assert "log scale" not in describe_sampler("tunegate", space, {"scales": "declared"})
    assert "log scale" not in describe_sampler("tpe", space)


@pytest.mark.parametrize("name", KATIBS)
def test_each_algorithm_takes_its_settings_and_no_others(name: str) -> None:
    others = sorted(
        {setting for settings in KATIBS.values() for setting in settings} - set(KATIBS[name])
    )
    assert list(ALGORITHMS[name].settings or ()) == KATIBS[name]
    assert problems(name, **dict.fromkeys(others, "1")) == others


@pytest.mark.parametrize(
    ("name", "setting", "good", "bad"),
    [
        (
            "random",
            "random_state",
            ["0", "7", "2147483648"],
            ["-1", "1.5", "", "x", "--1", "\u00b2", "1e3", " 1"],
        ),
        ("tpe", "gamma", ["0.25", "1e-3"], ["0", "-1", "x", "", "nan"]),
        ("tpe", "n_EI_candidates", ["1", "24"], ["0", "2.5"]),
        ("multivariate-tpe", "n_startup_trials", ["0", "10"], ["-1"]),
        ("bayesianoptimization", "base_estimator", ["GP", "RF", "ET", "GBRT"], ["gp", "SVM"]),
        ("bayesianoptimization", "n_initial_points", ["1"], ["0"]),
        ("bayesianoptimization", "acq_func", ["gp_hedge", "EI"], ["UCB"]),
        ("cmaes", "restart_strategy", ["none", "ipop", "bipop"], ["None"]),
        ("cmaes", "sigma", ["0.1"], ["0"]),
    ],
)
def test_a_settings_value_is_checked_as_the_service_would(
    name: str, setting: str, good: list[str], bad: list[str]
) -> None:
    assert [value for value in good if problems(name, **{setting: value})] == []
    assert [value for value in bad if not problems(name, **{setting: value})] == []


def test_sobol_takes_anything() -> None:
    assert problems("sobol", whatever="x") == []


@pytest.mark.parametrize(
    "name", [name for name, algorithm in ALGORITHMS.items() if algorithm.local]
)
def test_what_is_run_in_its_place_is_said_in_one_line(name: str) -> None:
    line = describe_sampler(name)
    assert line.startswith(f"{name} -> ")
    assert "\n" not in line
