"""Trials that print without end: memory and disk stay bounded, and the last metric is read."""

import json
import os
import time
from pathlib import Path

import pytest
from support.katib.experiments import (
    build_document,
    make_experiment,
    run_experiment,
    shell_command,
    start_process,
    trial_states,
    using_parameters,
)
from support.patience import patience

from katib.errors import EngineError
from katib.local.trial_runner import LOG_LIMIT
from katib.trial import Trial

ONE = {"maxTrialCount": 1, "parallelTrialCount": 1}
MEBIBYTE = 1 << 20
LINE = "a line as long as those that a trial prints when somebody has left its debug output on"
LINES = f"yes '{LINE}' | head -c 100000000"
NO_LINES = "head -c 100000000 /dev/zero"
METRICS = "yes mse=2 | head -c 3000000"


@pytest.mark.parametrize("flood", [LINES, NO_LINES, METRICS], ids=["lines", "one line", "metrics"])
def test_a_flood_is_read_to_its_end_in_little_memory_and_kept_in_part(
    flood: str, tmp_path: Path
) -> None:
    document = using_parameters(build_document(*shell_command(f"{flood}; echo; echo mse=1"), **ONE))
    with start_process(document, tmp_path) as process:
        output, errors = process.communicate(timeout=patience(100))
    assert process.returncode == 0, errors
    assert json.loads(output)["peak_kib"] < 100 * 1024
    status = json.loads((tmp_path / "experiment.json").read_bytes())["status"]
    assert status["currentOptimalTrial"]["observation"]["metrics"][0]["latest"] == "1"
    (log,) = tmp_path.glob("trials/*/output.log")
    assert log.stat().st_size <= LOG_LIMIT + 2 * MEBIBYTE


def test_a_flood_without_end_is_ended_by_the_deadline(tmp_path: Path) -> None:
    began = time.monotonic()
    flood = f"yes '{LINE}'"
    result = run_experiment(
        make_experiment(*shell_command(flood), job={"activeDeadlineSeconds": 1}, **ONE), tmp_path
    )
    assert trial_states(result) == ["Failed"]
    assert time.monotonic() - began < patience(15)


@pytest.mark.timeout(patience(60))
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 - no path of ours
def test_a_log_that_cannot_be_written_is_an_error_of_the_engine_and_ends_the_trial(
    tmp_path: Path,
) -> None:
    class Events:
        def started(self, trial: Trial) -> None:
            folder = tmp_path / "trials" / trial.name
            folder.mkdir(parents=True)
            (folder / "output.log").symlink_to("/dev/full")

        def finished(self, trial: Trial, top: Trial | None) -> None:
            pytest.fail("the trial is not finished")

    with pytest.raises(EngineError, match="No space left on device") as error:
        run_experiment(make_experiment(*shell_command("yes"), **ONE), tmp_path, events=Events())
    assert "--resume" in error.value.hint
