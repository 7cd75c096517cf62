"""Experiments on a cluster, through the command line; the cluster is a recording here."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cluster.recordings import recorded_case
from support.cluster.replays import Replay, load_replay
from support.katib.experiments import as_document, build_document, using_parameters
from support.katib.runs import parsed_events

from katib.cluster import client as module
from katib.document import Document
from katib.errors import AlreadyExists, ClusterError, ClusterUnreachable, Missing, Refused, TimedOut
from katib.experiment import Experiment, to_experiment
from katib.local.run_folder import META, STATUS, new_run
from katib.objects import rank
from tunegate.doctor.local_run import explain_newest
from tunegate.error_report import exit_code
from tunegate.errors import ExitCode, UsageError
from tunegate.search.local import interrupted_run, newest_experiment, tune_locally
from tunegate.search.on_katib import connect_cluster, tune_on_katib
from tunegate.settings import Settings
from tunegate.watch.local import local_boards
from tunegate.workspace import Workspace

Connect = Callable[[Replay], None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Let the command line find this cluster."""
    return lambda cluster: monkeypatch.setattr(module, "connect", lambda _: cluster)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(Settings(state=tmp_path, namespace="tuning"))


def replayed_case(case: str) -> tuple[Replay, Experiment]:
    """Return a recorded cluster, and the Experiment that was applied there."""
    content = recorded_case(case)
    cluster = load_replay(case)
    for event in experiment_events(
        cluster
    ):  # the recorded states hold only a few fields of the spec
        event["object"]["spec"] = copy.deepcopy(content["experiment"]["spec"])
    return cluster, to_experiment(as_document(content["applied"]), local=False)


def experiment_events(cluster: Replay) -> list[dict[str, Any]]:
    return [event for event in cluster.events if event["object"]["kind"] == "Experiment"]


def test_a_run_is_kept_in_the_shape_of_a_local_one_and_ranked_by_our_rule(
    connect: Connect, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, experiment = replayed_case("b-goal")
    connect(cluster)
    assert tune_on_katib(workspace, experiment, timeout=None, as_json=True) == ExitCode.DONE
    exists, *trials, end = parsed_events(capsys.readouterr().out)
    assert exists == {
        "event": "exists",
        "experiment": "goal",
        "namespace": "tuning",
        "state": "Created",
    }
    assert [each["event"] for each in trials] == ["trial"] * 5
    assert trials[-1]["trial"] == "goal-b2bd86xc"  # it ended after the Experiment
    run = workspace.last_run("goal")
    assert end["folder"] == str(run)
    ranked = rank(workspace.trials(run))
    assert end["best"] == {
        "trial": ranked[0].trial,
        "value": ranked[0].value,
        "assignments": ranked[0].assignments,
    }
    assert len(ranked) == 5
    document = json.loads((run / STATUS).read_bytes())  # read as the report does
    del document["status"]
    assert (
        to_experiment(Document("kept", document), local=False).parameters == experiment.parameters
    )


def test_without_json_the_trials_are_lines_for_people(
    connect: Connect, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster, experiment = replayed_case("b-goal")
    connect(cluster)
    tune_on_katib(workspace, experiment, timeout=None, as_json=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert "trial 5 goal-b2bd86xc: 17.1 (best mse" in said.err
    assert "following it for 86400 s at most (--timeout)" in said.err


def test_the_same_experiment_keeps_its_folder_and_another_gets_one_of_its_own(
    connect: Connect, workspace: Workspace
) -> None:
    for _ in range(2):
        cluster, experiment = replayed_case("b-goal")
        connect(cluster)
        tune_on_katib(workspace, experiment, timeout=None, as_json=False)
    assert [path.name for path in (workspace.experiments / "goal").iterdir()] == ["0001"]
    cluster, experiment = replayed_case("b-goal")
    for event in experiment_events(cluster):
        event["object"]["metadata"]["uid"] = "another"
    cluster.events = experiment_events(cluster)
    connect(cluster)
    tune_on_katib(workspace, experiment, timeout=None, as_json=False)
    assert workspace.last_run("goal").name == "0002"


def test_a_run_on_a_cluster_is_not_taken_for_a_local_one_to_resume(
    connect: Connect, workspace: Workspace
) -> None:
    cluster, experiment = replayed_case("b-goal")
    connect(cluster)
    tune_on_katib(workspace, experiment, timeout=None, as_json=False)
    assert not (workspace.last_run("goal") / META).exists()
    assert interrupted_run(workspace, experiment) is None
    with pytest.raises(UsageError, match="did not run on this machine"):
        tune_locally(workspace, experiment, resume=True)
    with pytest.raises(UsageError, match="did not run on this machine"):
        newest_experiment(workspace)


def test_report_doctor_and_watch_speak_of_the_run_that_was_kept(
    connect: Connect, workspace: Workspace, tmp_path: Path
) -> None:
    cluster, experiment = replayed_case("b-goal")
    connect(cluster)
    before = new_run(workspace.experiments, "goal")
    (before / META).write_text("{}")
    tune_on_katib(workspace, experiment, timeout=None, as_json=False)
    run = workspace.last_run()
    assert run != before
    (cause,) = explain_newest(workspace.settings, "", None, tmp_path / "none.yaml")
    assert str(run) in cause.evidence
    assert "tunegate doctor --experiment goal --namespace tuning" in cause.fix
    *_, last = local_boards(workspace.experiments, "")
    assert (last.where, last.state) == (str(run), "Succeeded")


def test_a_run_without_a_trial_is_named_by_those_who_need_one(workspace: Workspace) -> None:
    run = new_run(workspace.experiments, "goal")
    (run / META).write_text("{}")
    with pytest.raises(UsageError, match="goal/0001: it has not started a trial yet"):
        workspace.last_run()


def test_a_failed_experiment_is_an_error_that_names_the_doctor(
    connect: Connect, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = load_replay("h-bad-setting")
    experiment = recorded_case("h-bad-setting")["applied"]
    for event in cluster.events:
        event["object"]["spec"] = copy.deepcopy(experiment["spec"])
    connect(cluster)
    what = Experiment("bad-setting", "tuning", copy.deepcopy(experiment), (), experiment)
    assert tune_on_katib(workspace, what, timeout=None, as_json=True) == ExitCode.ERROR
    said = capsys.readouterr()
    assert parsed_events(said.out)[-1]["best"] is None
    assert "tunegate doctor --experiment bad-setting --namespace tuning" in said.err


def test_ctrl_c_ends_the_command_and_not_the_experiment(
    connect: Connect,
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Replay([])
    cluster.faults = [None, None, None, None, KeyboardInterrupt()]  # type: ignore[list-item]
    connect(cluster)
    monkeypatch.setattr("sys.argv", ["tunegate", "tune", "my file.yaml", "--on", "katib"])
    experiment = to_experiment(
        as_document(using_parameters(build_document("true", container={"image": "x"}))), local=False
    )
    with pytest.raises(SystemExit) as caught:
        tune_on_katib(workspace, experiment, timeout=None, as_json=False)
    assert caught.value.code == 130
    said = capsys.readouterr().err
    assert "Experiment tuning/tiny keeps running" in said
    assert "`tunegate tune 'my file.yaml' --on katib`" in said
    assert len(cluster.created) == 1


def test_without_the_clusters_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "katib.cluster.client", None)
    monkeypatch.delattr("katib.cluster.client", raising=False)
    with pytest.raises(UsageError) as caught:
        connect_cluster(Settings())
    assert caught.value.hint == "pip install 'tunegate[cluster]'"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClusterUnreachable, 20),
        (Refused, 2),
        (AlreadyExists, 2),
        (Missing, 2),
        (TimedOut, 1),
        (ClusterError, 1),
    ],
)
def test_each_error_has_its_exit_code(error: type[ClusterError], code: int) -> None:
    assert exit_code(error("what")) == code
