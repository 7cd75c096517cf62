"""What `KatibClient.get_trial_metrics` is answered, out of the runs' folders."""

from pathlib import Path

import pytest
from support.katib.endpoints import begun_run, ended_trial
from support.katib.experiments import make_experiment, run_experiment

from katib.endpoint.trial_reports import RunReports
from katib.errors import Missing, Refused
from katib.local.run_folder import new_run

TINY = make_experiment(
    "sh", "-c", "printf 'mse=2\\nmse=1\\n'", maxTrialCount=1, parallelTrialCount=1
)


def test_reports_are_those_that_the_trial_made(tmp_path: Path) -> None:
    ran = run_experiment(TINY, new_run(tmp_path, "tiny"))
    begun_run(tmp_path, TINY)  # a newer run, without the trial
    found = RunReports(tmp_path).read(ran.trials[0]["metadata"]["name"])
    assert [(each.metric, each.value) for each in found] == [("mse", "2"), ("mse", "1")]


def test_a_trial_without_kept_reports_has_its_latest_values(tmp_path: Path) -> None:
    begun_run(tmp_path, TINY, ended_trial(0, "1.5"))
    (found,) = RunReports(tmp_path).read("tiny-0")
    assert found == ("2026-01-02T03:04:05Z", "mse", "1.5")


@pytest.mark.parametrize("name", ["", "tiny-9", "tiny", "../tiny-0", "..-0", "other-0"])
def test_other_trials_do_not_exist(tmp_path: Path, name: str) -> None:
    begun_run(tmp_path / "experiments", TINY, ended_trial(0))
    with pytest.raises(Missing):
        RunReports(tmp_path / "experiments").read(name)


def test_reports_cannot_be_changed(tmp_path: Path) -> None:
    reports = RunReports(tmp_path)
    with pytest.raises(Refused):
        reports.append("tiny-0", [])
    with pytest.raises(Refused):
        reports.delete("tiny-0")
