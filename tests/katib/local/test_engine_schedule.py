"""Which trials run when: overlap, CPUs, the two schedules, early stopping, preloading."""

import time
from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    comparable_trials,
    make_experiment,
    run_experiment,
    shell_command,
    trial_assignments,
    trial_states,
)
from support.patience import patience

from katib.trial import Trial

# Waits until two trials are there, for a minute at most.
MEET = """
    touch {0}/$KATIB_TRIAL_NAME; n=0
    while [ `ls {0} | wc -l` -lt 2 ]
    do n=$((n+1)); [ $n -gt 3000 ] && exit 1; sleep 0.02; done
    echo mse=1
"""
ALONE = "mkdir {0}/lock || exit 1; sleep 0.05; rmdir {0}/lock; echo mse=1"
TPE = {
    "algorithm": algorithm_spec("multivariate-tpe", n_startup_trials="2"),
    "parallelTrialCount": 3,
    "maxTrialCount": 11,
}
UNEVEN = shell_command("sleep 0.0$(($$$$ % 6)); echo mse=${trialParameters.x}")
NUMBERS = {"x": ("discrete", {"list": ["1", "2", "3", "9"]})}
IN_ORDER = {"parameters": NUMBERS, "algorithm": algorithm_spec("grid"), "parallelTrialCount": 1}


def cpu_request(cpu: str) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}}}


@pytest.mark.parametrize(("cpu", "cpus"), [("1", 2), ("500m", 1), ("100m", 1)])
def test_trials_overlap_as_far_as_there_are_cpus(tmp_path: Path, cpu: str, cpus: int) -> None:
    (tmp_path / "there").mkdir()
    what = make_experiment(
        *shell_command(MEET.format(tmp_path / "there")), container=cpu_request(cpu), maxTrialCount=2
    )
    assert trial_states(run_experiment(what, tmp_path / "run", cpus=cpus)) == ["Succeeded"] * 2


@pytest.mark.parametrize(("cpu", "cpus"), [("1", 1), ("2", 3), ("4", 2)])
def test_no_more_trials_run_at_once_than_there_are_cpus_for(
    tmp_path: Path, cpu: str, cpus: int
) -> None:
    what = make_experiment(
        *shell_command(ALONE.format(tmp_path)), container=cpu_request(cpu), parallelTrialCount=4
    )
    assert trial_states(run_experiment(what, tmp_path / "run", cpus=cpus)) == ["Succeeded"] * 4


def test_no_more_trials_run_at_once_than_the_experiment_says(tmp_path: Path) -> None:
    what = make_experiment(*shell_command(ALONE.format(tmp_path)), parallelTrialCount=1)
    assert trial_states(run_experiment(what, tmp_path / "run", cpus=8)) == ["Succeeded"] * 4


def test_in_batches_a_seeded_search_is_the_same_on_any_number_of_cpus(tmp_path: Path) -> None:
    results = [
        run_experiment(
            make_experiment(*UNEVEN, annotations=BATCH, **TPE), tmp_path / str(n), cpus=n
        )
        for n in (1, 2, 4)
    ]
    assert (
        comparable_trials(results[0])
        == comparable_trials(results[1])
        == comparable_trials(results[2])
    )
    assert len({point["x"] for point in trial_assignments(results[0])}) == 11


def test_as_katib_all_trials_are_run_too(tmp_path: Path) -> None:
    result = run_experiment(make_experiment(*UNEVEN, **TPE), tmp_path, cpus=3)
    assert trial_states(result) == ["Succeeded"] * 11
    assert len({point["x"] for point in trial_assignments(result)}) == 11


def test_as_katib_the_next_trial_starts_when_one_ends(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    wait = (
        "n=0; while [ `ls DONE | wc -l` -lt 3 ]; "
        "do n=$((n+1)); [ $n -gt 3000 ] && exit 1; sleep 0.02; done"
    )
    script = (
        f"[ ${{trialParameters.x}} = 1 ] && {{ {wait}; }}; touch DONE/$KATIB_TRIAL_NAME; echo mse=1"
    )
    what = make_experiment(
        *shell_command(script.replace("DONE", str(tmp_path / "done"))),
        **{**IN_ORDER, "parallelTrialCount": 2},
    )
    assert trial_states(run_experiment(what, tmp_path / "run")) == ["Succeeded"] * 4


def test_in_batches_the_next_trial_waits_for_all_of_the_last_batch(tmp_path: Path) -> None:
    class Events:
        calls = ""

        def started(self, trial: Trial) -> None:
            self.calls += "s"

        def finished(self, trial: Trial, top: Trial | None) -> None:
            self.calls += "f"

    events = Events()
    run_experiment(
        make_experiment(*UNEVEN, annotations=BATCH, parallelTrialCount=2), tmp_path, events=events
    )
    assert events.calls == "ssffssff"


REPORTS = "for i in 1 2 3 4; do echo mse=${trialParameters.x}; done"
MEDIANSTOP = {
    "algorithmName": "medianstop",
    "algorithmSettings": [
        {"name": "min_trials_required", "value": "3"},
        {"name": "start_step", "value": "2"},
    ],
}


def test_a_hopeless_trial_is_stopped_early(tmp_path: Path) -> None:
    script = f"{REPORTS}; [ ${{trialParameters.x}} = 9 ] && sleep 60; exit 0"
    began = time.monotonic()
    result = run_experiment(
        make_experiment(*shell_command(script), earlyStopping=MEDIANSTOP, **IN_ORDER), tmp_path
    )
    assert time.monotonic() - began < patience(15)
    assert trial_states(result) == ["Succeeded", "Succeeded", "Succeeded", "EarlyStopped"]
    stopped = result.trials[3]["status"]
    assert stopped["observation"]["metrics"][0]["min"] == "9"
    assert stopped["conditions"][-1]["reason"] == "TrialEarlyStopped"
    status = result.experiment["status"]
    assert (status["trialsSucceeded"], status["trialsEarlyStopped"], result.end) == (3, 1, "max")
    assert status["earlyStoppedTrialList"] == [result.trials[3]["metadata"]["name"]]


@pytest.mark.parametrize(("code", "state"), [(0, "Succeeded"), (1, "Failed")])
def test_metrics_of_a_file_are_read_when_nothing_can_be_stopped_any_more(
    tmp_path: Path, code: int, state: str
) -> None:
    collector = {
        "collector": {"kind": "File"},
        "source": {"fileSystemPath": {"path": "/out/m.log"}},
    }
    script = f"({REPORTS}) > /out/m.log; [ ${{trialParameters.x}} != 9 ] || exit {code}"
    what = make_experiment(
        *shell_command(script), earlyStopping=MEDIANSTOP, metricsCollectorSpec=collector, **IN_ORDER
    )
    assert trial_states(run_experiment(what, tmp_path)) == ["Succeeded"] * 3 + [state]


TOY = """
import os, sys
def main(argv=None):
    x = float((sys.argv[1:] if argv is None else argv)[0].partition("=")[2])
    if x > 0.8:
        raise ValueError("too much")
    if x > 0.6:
        sys.exit(3)
    print(f"mse={x:.3f}", os.environ["KATIB_TRIAL_NAME"], flush=True)
if __name__ == "__main__":
    sys.exit(main())
"""


def test_a_preloaded_module_gives_what_a_fresh_interpreter_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__main__.py").write_text(TOY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    what = make_experiment(
        "python", "-m", "toy", "--x=${trialParameters.x}", annotations=BATCH, maxTrialCount=8
    )
    fresh, forked = (
        run_experiment(what, tmp_path / name, preload=preload)
        for name, preload in [("a", ()), ("b", ("toy",))]
    )
    assert trial_states(fresh) == trial_states(forked)
    assert {"Succeeded", "Failed"} == set(trial_states(fresh))
    assert [trial["spec"] for trial in fresh.trials] == [trial["spec"] for trial in forked.trials]
    observed = [
        [trial["status"].get("observation") for trial in result.trials]
        for result in (fresh, forked)
    ]
    assert observed[0] == observed[1]
