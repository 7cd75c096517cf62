"""Local trials whose command a shell reads: they end as on a cluster."""

import sys
from pathlib import Path

import pytest
from support.katib.experiments import (
    as_document,
    build_document,
    make_experiment,
    run_experiment,
    trial_log,
    trial_states,
    using_parameters,
)

from katib.errors import EngineError, InvalidExperiment
from katib.experiment import to_experiment
from katib.local.katib_status import ended_for_good
from katib.local.shell_wrapping import needs_shell

ONE = {"maxTrialCount": 1, "parallelTrialCount": 1}
NOT_FOUND = ["MetricsUnavailable"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["python", "-m", "trainer", "--depth=3", "--rate=1e-05"], False),
        ([sys.executable, "train.py", "a,b", "x=1", "a@b", "50%"], False),
        (["bash", "run.sh"], False),
        (["sh", "-c", "a"], True),
        (["python", "-c", "print(1)"], True),
        (["a", "b c"], True),
        (["a", "*.csv"], True),
        (["a", ">", "b"], True),
        (["a", ""], True),
        (["a", "~"], True),
        (["a", "#b"], True),
        (["a", "b;"], True),
        (["a", "&"], True),
    ],
)
def test_only_words_that_a_shell_reads_otherwise_need_one(
    words: list[str], *, expected: bool
) -> None:
    assert needs_shell(words) is expected


@pytest.mark.parametrize(
    ("script", "states"),
    [
        ("cd / && echo mse=1", ["Succeeded"]),
        ("echo mse=1; date", NOT_FOUND),
        ("echo mse=1 | cat", ["Succeeded"]),
        ("{ echo mse=1; date; }", ["Succeeded"]),
        ("date; echo mse=1 > /dev/null; echo mse=2", ["Succeeded"]),
        ("false && echo mse=1", ["Failed"]),
        ("echo mse=1 || exit 1; true", NOT_FOUND),
        ("eval 'exit 0'; echo mse=1", ["Failed"]),
    ],
)
def test_a_script_ends_as_it_does_on_a_cluster(
    tmp_path: Path, script: str, states: list[str]
) -> None:
    assert (
        trial_states(run_experiment(make_experiment("sh", "-c", script, **ONE), tmp_path)) == states
    )


def test_words_are_joined_without_quotes(tmp_path: Path) -> None:
    result = run_experiment(make_experiment("echo", "mse=1  mse=2", "a", **ONE), tmp_path)
    assert trial_log(result) == "mse=1 mse=2 a\n"


def test_what_is_not_searched_for_metrics_is_shown_after_the_rest(tmp_path: Path) -> None:
    script = "echo mse=7; echo mse=1"
    result = run_experiment(make_experiment("sh", "-c", script, **ONE), tmp_path)
    assert trial_log(result) == "mse=1\nmse=7\n"
    (metric,) = result.trials[0]["status"]["observation"]["metrics"]
    assert metric["latest"] == "1"


@pytest.mark.parametrize("script", ["echo mse=1\n", "exec echo mse=1", "echo mse=1;"])
def test_a_script_that_cannot_work_on_katib_is_not_run(script: str) -> None:
    with pytest.raises(InvalidExperiment, match="K26"):
        make_experiment("sh", "-c", script)


def test_a_run_of_all_its_trials_continues_with_a_higher_count_where_katib_lets_it(
    tmp_path: Path,
) -> None:
    document = using_parameters(build_document("sh", "-c", "echo mse=1", **ONE))
    document["spec"]["resumePolicy"] = "LongRunning"
    first = run_experiment(to_experiment(as_document(document)), tmp_path)
    assert ended_for_good(first.experiment, to_experiment(as_document(document)))
    document["spec"]["maxTrialCount"] = 3
    more = to_experiment(as_document(document))
    assert not ended_for_good(first.experiment, more)
    second = run_experiment(more, tmp_path)
    assert trial_states(second) == ["Succeeded"] * 3
    assert second.trials[0]["metadata"]["name"] == first.trials[0]["metadata"]["name"]
    document["spec"]["resumePolicy"] = "Never"
    assert ended_for_good(first.experiment, to_experiment(as_document(document)))


def test_nothing_but_the_counts_may_change(tmp_path: Path) -> None:
    document = using_parameters(build_document("sh", "-c", "echo mse=1", **ONE))
    document["spec"]["resumePolicy"] = "LongRunning"
    run_experiment(to_experiment(as_document(document)), tmp_path)
    document["spec"]["maxTrialCount"] = 3
    document["spec"]["objective"]["type"] = "maximize"
    with pytest.raises(EngineError, match="has changed"):
        run_experiment(to_experiment(as_document(document)), tmp_path)
