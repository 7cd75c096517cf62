"""Trials that push their metrics to the engine's DBManager, with Katib's messages."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import (
    make_experiment,
    run_experiment,
    trial_states,
)

from katib.errors import ClusterUnreachable, EngineError
from katib.local.engine import Result
from katib.local.pushed_reports import FOR_TRIALS, TrialReports
from katib.reports import LoggedReport
from katib.suggestion.messages import Message
from katib.suggestion.server import M, calling

PUSHED = {"collector": {"kind": "Push"}}
# A trial as `report_metrics` of kubeflow-katib reports: the same request, without its imports.
REPORT = """
import os, sys
from katib.suggestion.server import M, calling
def report(time, **metrics):
    logs = [{"time_stamp": time, "metric": {"name": name, "value": value}}
        for name, value in metrics.items()]
    log = {"metric_logs": logs}
    fields = {"trial_name": os.environ["KATIB_TRIAL_NAME"], "observation_log": log}
    with calling(os.environ["TUNEGATE_DB_MANAGER"], "DBManager", "ReportObservationLog") as ask:
        ask(M["ReportObservationLogRequest"](**fields), 30)
x = float(os.environ["PARAMETERS"])
"""
EARLY, LATE = "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"


def push(script: str, folder: Path, **options: object) -> Result:
    """Run an Experiment whose only trial pushes."""
    what = make_experiment(
        sys.executable,
        "-c",
        REPORT + script,
        metricsCollectorSpec=PUSHED,
        maxTrialCount=1,
        parallelTrialCount=1,
        objective={
            "type": "minimize",
            "objectiveMetricName": "mse",
            "additionalMetricNames": ["mae"],
        },
        **options,
    )
    return run_experiment(what, folder)


def observed(result: Result) -> dict[str, dict[str, str]]:
    metrics = result.trials[0]["status"]["observation"]["metrics"]
    return {each["name"]: each for each in metrics}


def test_what_a_trial_pushes_is_its_observation(tmp_path: Path) -> None:
    # The output names the metric, too, and the program's quotes would mean something to a shell.
    script = f"""
report({LATE!r}, mse="2.5", mae="7", other="1")
report({EARLY!r}, mse="1.5")
print("mse=0.001; '")
"""
    result = push(script, tmp_path / "run")
    assert trial_states(result) == ["Succeeded"]
    assert observed(result)["mse"] == {"name": "mse", "min": "1.5", "max": "2.5", "latest": "2.5"}
    assert observed(result)["mae"]["latest"] == "7"
    assert set(observed(result)) == {"mse", "mae"}
    name = result.trials[0]["metadata"]["name"]
    assert TrialReports(tmp_path / "run" / "trials").read(name) == [
        LoggedReport(EARLY, "mse", "1.5"),
        LoggedReport(LATE, "mse", "2.5"),
        LoggedReport(LATE, "mae", "7"),
        LoggedReport(LATE, "other", "1"),
    ]


def test_a_trial_that_pushes_no_objective_has_no_metrics(tmp_path: Path) -> None:
    result = push(f"report({EARLY!r}, mae='7')\nprint('mse=1')", tmp_path / "run")
    assert trial_states(result) == ["MetricsUnavailable"]
    assert observed(result)["mse"]["latest"] == "unavailable"
    assert observed(result)["mae"]["latest"] == "7"  # as on Katib, whose database has it


def test_reports_of_a_failed_attempt_do_not_count_in_the_next(tmp_path: Path) -> None:
    script = f"""
if os.path.exists("{tmp_path}/once"):
    report({EARLY!r}, mse="3")
else:
    open("{tmp_path}/once", "w").close()
    report({EARLY!r}, mse="1")
    sys.exit(1)
"""
    result = push(script, tmp_path / "run", job={"backoffLimit": 1})
    assert trial_states(result) == ["Succeeded"]
    assert observed(result)["mse"]["min"] == "3"


def test_a_run_without_push_keeps_what_its_trials_print(tmp_path: Path) -> None:
    what = make_experiment(
        "sh",
        "-c",
        f"printf '{EARLY} mse=2\\nmse=1 mae=3\\n'",
        maxTrialCount=1,
        parallelTrialCount=1,
    )
    result = run_experiment(what, tmp_path / "run")
    name = result.trials[0]["metadata"]["name"]
    assert TrialReports(tmp_path / "run" / "trials").read(name) == [
        LoggedReport("0001-01-01T00:00:00Z", "mse", "1"),
        LoggedReport(EARLY, "mse", "2"),
    ]


def test_without_grpc_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("katib.db_manager.service", "katib.suggestion.server"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(EngineError, match="needs gRPC, and grpc is not installed") as caught:
        push("", tmp_path / "run")
    assert "tunegate[grpc]" in caught.value.hint


class TestDatabase:
    """The DBManager alone, called as Katib's own clients call it."""

    @pytest.fixture
    def address(self, tmp_path: Path) -> Any:  # noqa: ANN401 - a generator
        from katib.db_manager.service import serving_reports

        (tmp_path / "tiny-1").mkdir()
        with serving_reports(TrialReports(tmp_path)) as address:
            yield address

    @staticmethod
    def ask(address: str, method: str, **fields: object) -> Message:
        with calling(address, "DBManager", method) as ask:
            return ask(M[f"{method}Request"](**fields), 30)

    def report(self, address: str, *logs: tuple[str, str, str], trial: str = "tiny-1") -> None:
        made = [
            {"time_stamp": time, "metric": {"name": name, "value": value}}
            for time, name, value in logs
        ]
        log = {"metric_logs": made}
        self.ask(address, "ReportObservationLog", trial_name=trial, observation_log=log)

    def read(self, address: str, **fields: str) -> list[str]:
        reply = self.ask(address, "GetObservationLog", trial_name="tiny-1", **fields)
        return [each.metric.value for each in reply.observation_log.metric_logs]

    def test_it_answers_what_was_reported_by_name_and_time(self, address: str) -> None:
        self.report(address, (LATE, "a", "3"), (EARLY, "a", "1"), ("", "a", "9"), (LATE, "b", "2"))
        assert self.read(address) == ["1", "3", "2"]
        assert self.read(address, metric_name="b") == ["2"]
        assert self.read(address, start_time=LATE) == ["3", "2"]
        assert self.read(address, end_time=EARLY) == ["1"]
        self.ask(address, "DeleteObservationLog", trial_name="tiny-1")
        assert self.read(address) == []

    @pytest.mark.parametrize("trial", ["", "..", "../tiny-1", "tiny-2", "/tmp"])  # noqa: S108
    def test_it_knows_the_runs_trials_alone(self, address: str, trial: str) -> None:
        with pytest.raises(ClusterUnreachable, match="NOT_FOUND: there is no trial"):
            self.report(address, (EARLY, "a", "1"), trial=trial)

    def test_it_refuses_what_is_no_time(self, address: str) -> None:
        with pytest.raises(ClusterUnreachable, match="INVALID_ARGUMENT: 'yesterday' is no time"):
            self.report(address, ("yesterday", "a", "1"))


def test_katibs_function_finds_the_database_and_other_start_modules_still_run(
    tmp_path: Path,
) -> None:
    for name, text in {
        "kubeflow/katib/constants/constants.py": "DEFAULT_DB_MANAGER_ADDRESS = 'the cluster'",
        "kubeflow/katib/utils/utils.py": "def get_current_k8s_namespace(): return open('/no')",
        "sitecustomize.py": "import sys; sys.of_user = True",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    script = """
import json, sys
from kubeflow.katib.constants import constants
from kubeflow.katib.utils import utils
address = constants.DEFAULT_DB_MANAGER_ADDRESS
print(json.dumps([address, utils.get_current_k8s_namespace(), sys.of_user]))
"""
    env = {
        **os.environ,
        "PYTHONPATH": f"{FOR_TRIALS}{os.pathsep}{tmp_path}",
        "TUNEGATE_DB_MANAGER": "127.0.0.1:1",
        "TUNEGATE_NAMESPACE": "mine",
    }
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sitecustomize\n" + script],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["127.0.0.1:1", "mine", True]
