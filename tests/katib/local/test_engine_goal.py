"""When the Experiment ends, running trials finish, and trials that wait for a CPU do not start."""

from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    make_experiment,
    run_experiment,
    shell_command,
    trial_states,
)

from katib.experiment import Experiment
from katib.trial import Trial

SPEC: dict[str, Any] = {
    "parameters": {"x": ("discrete", {"list": ["1", "2", "3", "4"]})},
    "algorithm": algorithm_spec("grid"),
    "parallelTrialCount": 4,
}
GOAL = {"objective": {"type": "minimize", "objectiveMetricName": "mse", "goal": 1}}
# The second waits for the first one's end, a minute at most.
SCRIPT = """
    echo $KATIB_TRIAL_NAME >> {0}/starts; n=0
    if [ ${{trialParameters.x}} = 2 ]; then
        while [ ! -e {0}/ended ]; do n=$((n+1)); [ $n -gt 3000 ] && exit 1; sleep 0.02; done
    fi
    echo mse=${{trialParameters.x}}
"""


class StartNotes:
    """Tells the trials that one has ended, and may break the run off then."""

    def __init__(self, folder: Path, error: type[BaseException] | None = None) -> None:
        self.folder = folder
        self.error = error

    def started(self, trial: Trial) -> None:
        """Nothing to note."""

    def finished(self, trial: Trial, top: Trial | None) -> None:
        (self.folder / "ended").touch()
        if self.error:
            raise self.error


def gated_experiment(folder: Path, annotations: dict[str, str] | None = None) -> Experiment:
    return make_experiment(
        *shell_command(SCRIPT.format(folder)), **SPEC, **GOAL, annotations=annotations
    )


def count_started(folder: Path) -> int:
    return len(set((folder / "starts").read_text().split()))


@pytest.mark.parametrize("cpus", [1, 2])
def test_what_waits_for_a_cpu_is_not_started_after_the_goal(tmp_path: Path, cpus: int) -> None:
    result = run_experiment(
        gated_experiment(tmp_path), tmp_path / "run", cpus=cpus, events=StartNotes(tmp_path)
    )
    assert trial_states(result) == ["Succeeded"] * cpus + ["Created"] * (4 - cpus)
    assert (result.end, count_started(tmp_path)) == ("goal", cpus)
    assert result.experiment["status"]["trialsPending"] == 4 - cpus


def test_nor_after_too_many_failures(tmp_path: Path) -> None:
    failing = make_experiment(
        *shell_command("echo ${trialParameters.x}; exit 1"), **SPEC, maxFailedTrialCount=2
    )
    result = run_experiment(failing, tmp_path, cpus=1)
    assert (result.end, trial_states(result)) == (
        "failed",
        ["Failed", "Failed", "Created", "Created"],
    )


def test_a_run_broken_off_at_its_goal_finishes_what_ran_and_starts_nothing_else(
    tmp_path: Path,
) -> None:
    class Broken(Exception):
        pass

    with pytest.raises(Broken):
        run_experiment(
            gated_experiment(tmp_path), tmp_path / "run", events=StartNotes(tmp_path, Broken)
        )
    for _ in range(2):
        result = run_experiment(gated_experiment(tmp_path), tmp_path / "run", cpus=4)
        assert (result.end, trial_states(result)) == (
            "goal",
            ["Succeeded", "Succeeded", "Created", "Created"],
        )
        assert count_started(tmp_path) == 2


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_a_batch_is_run_whole_on_any_number_of_cpus(tmp_path: Path, cpus: int) -> None:
    result = run_experiment(
        gated_experiment(tmp_path, BATCH), tmp_path / "run", cpus=cpus, events=StartNotes(tmp_path)
    )
    assert (result.end, trial_states(result)) == ("goal", ["Succeeded"] * 4)
