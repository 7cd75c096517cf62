"""The command line against a real cluster with Katib."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cli import running, tunegate
from support.cluster.clusters import (
    FAIL,
    proxied_cluster,
    short_experiment,
    temporary_namespace,
    write_experiment_file,
)
from support.cluster.kubectl import kubectl
from support.katib.experiments import as_document, eventually

from katib.cluster.client import connect
from katib.cluster.experiments import KatibCluster
from katib.errors import Refused
from katib.experiment import Experiment
from katib.local.run_folder import STATUS, TRIALS
from katib.objects import rank
from tunegate.settings import Settings
from tunegate.workspace import Workspace

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG names no cluster"),
]


@pytest.fixture
def room() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


def tune(path: Path, room: str, state: Path, *more: str) -> tuple[Any, ...]:
    return ("tune", path, "--on", "katib", "--namespace", room, "--state", state, *more)


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def doctor(room: str) -> tuple[int, list[dict[str, Any]], str]:
    done = tunegate("doctor", "--experiment", room, "--namespace", room, "--json")
    return done.returncode, json.loads(done.stdout), done.stderr


def test_an_experiment_is_created_followed_and_kept_and_the_same_command_again_finds_it(
    room: str, tmp_path: Path
) -> None:
    command = tune(
        write_experiment_file(short_experiment(room), tmp_path), room, tmp_path / "state", "--json"
    )
    first = tunegate(*command)
    assert first.returncode == 0, first.stderr
    created, *trials, end = events(first.stdout)
    assert (created["event"], created["experiment"], created["namespace"]) == (
        "created",
        room,
        room,
    )
    assert [each["event"] for each in trials] == ["trial"] * 3
    assert end["best"]["value"] == min(each["value"] for each in trials)
    assert f"trial 3 {room}-" in first.stderr

    workspace = Workspace(Settings(state=tmp_path / "state"))
    run = workspace.last_run(room)
    assert rank(workspace.trials(run))[0].trial == end["best"]["trial"]
    assert {STATUS, TRIALS} <= {path.name for path in run.iterdir()}

    again = tunegate(*command)
    assert again.returncode == 0, again.stderr
    assert [each["event"] for each in events(again.stdout)] == ["exists", *["trial"] * 3, "end"]
    assert events(again.stdout)[-1] == end  # the same folder, the same best trial
    assert doctor(room)[0] == 0


def test_another_experiment_of_the_same_name_is_an_error_that_names_the_field(
    room: str, tmp_path: Path
) -> None:
    document = short_experiment(room, parallelTrialCount=1)
    kubectl("create", "-n", room, "-f", "-", stdin=json.dumps(document))
    document["spec"]["maxTrialCount"] = 2
    done = tunegate(*tune(write_experiment_file(document, tmp_path), room, tmp_path / "state"))
    assert done.returncode == 2
    assert "spec.maxTrialCount: 2 here, 3 there" in done.stderr
    assert f"kubectl delete experiment {room} -n {room}" in done.stderr


def test_a_namespace_without_the_label_is_refused_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    with temporary_namespace(labelled=False) as bare:
        done = tunegate(
            *tune(write_experiment_file(short_experiment(bare), tmp_path), bare, tmp_path / "state")
        )
        assert done.returncode == 2
        assert "lacks label" in done.stderr
        assert "admission webhook" not in done.stderr
        assert f"kubectl label namespace {bare}" in done.stderr
        code, causes, _ = doctor(bare)
        assert (code, causes[0]["name"]) == (1, "label missing")


def test_a_bad_objective_is_refused_in_katibs_words(room: str) -> None:
    document = short_experiment(room)
    document["spec"]["objective"]["type"] = "least"
    kube = connect()
    with pytest.raises(
        Refused,
        match=r'create experiments \S+: spec.objective.type: Invalid value: "least": must be',
    ):
        KatibCluster(kube, room).submit(
            Experiment(room, room, document, (), as_document(document).value)
        )
    kube.close()


def test_an_algorithm_that_the_cluster_does_not_have_is_refused(room: str, tmp_path: Path) -> None:
    document = short_experiment(room, algorithm={"algorithmName": "magic"})
    done = tunegate(*tune(write_experiment_file(document, tmp_path), room, tmp_path / "state"))
    assert done.returncode == 2
    assert "failed to find suggestion config for algorithm: magic" in done.stderr


def test_ctrl_c_leaves_the_experiment_running_and_the_same_command_goes_on(
    room: str, tmp_path: Path
) -> None:
    command = tune(
        write_experiment_file(
            short_experiment(room, maxTrialCount=4, parallelTrialCount=1), tmp_path
        ),
        room,
        tmp_path / "state",
        "--json",
    )
    with running(*command) as followed:
        followed.wait_for(f"trial 1 {room}-")
        followed.signal(signal.SIGINT)
        assert followed.wait() == 130
        assert f"Experiment {room}/{room} keeps running" in followed.output
        assert (
            f"`tunegate tune {tmp_path}/experiment.yaml --on katib --namespace {room}"
            in followed.output
        )
        assert "--resume" not in followed.output
    going_on = tunegate(*command)
    assert going_on.returncode == 0, going_on.stderr
    exists, *trials, end = events(going_on.stdout)
    assert exists["event"] == "exists"
    assert len(trials) == end["trials"] == 4


def test_an_experiment_that_is_deleted_while_it_is_followed_is_missed(
    room: str, tmp_path: Path
) -> None:
    command = tune(
        write_experiment_file(
            short_experiment(room, maxTrialCount=9, parallelTrialCount=1), tmp_path
        ),
        room,
        tmp_path / "state",
    )
    with running(*command) as followed:
        followed.wait_for(f"trial 1 {room}-")
        kubectl("delete", "experiment", room, "-n", room)
        assert followed.wait() == 1
        assert f"experiment {room}/{room} was deleted while it was followed" in followed.output


def test_when_all_trials_fail_the_exit_code_and_the_doctor_say_so(
    room: str, tmp_path: Path
) -> None:
    document = short_experiment(room, FAIL, maxFailedTrialCount=2)
    document["spec"]["trialTemplate"]["retain"] = (
        True  # or Katib deletes the pods, and only its own words remain
    )
    done = tunegate(*tune(write_experiment_file(document, tmp_path), room, tmp_path / "state"))
    assert done.returncode == 1
    assert "max failed count has reached" in done.stderr
    assert f"tunegate doctor --experiment {room} --namespace {room}" in done.stderr
    code, causes, said = doctor(room)
    assert (code, causes[0]["name"]) == (1, "all trials fail")
    assert "container main: Error, exit code 3" in said


def test_an_image_that_is_not_there_is_named_by_the_doctor_and_a_time_limit_ends_the_wait(
    room: str, tmp_path: Path
) -> None:
    document = short_experiment(
        room, container={"image": "localhost/absent:1", "imagePullPolicy": "Never"}
    )
    done = tunegate(
        *tune(write_experiment_file(document, tmp_path), room, tmp_path / "state", "--timeout", "1")
    )
    assert done.returncode == 1
    assert "not over in the time given" in done.stderr
    assert f"tunegate doctor --experiment {room}" in done.stderr
    causes = eventually(
        lambda: [c for c in doctor(room)[1] if c["name"] == "trial: image not pulled"], seconds=120
    )
    assert "localhost/absent:1" in causes[0]["evidence"]


def test_a_wrong_primary_container_name_is_told_by_the_doctor(room: str) -> None:
    document = short_experiment(room)
    document["spec"]["trialTemplate"]["primaryContainerName"] = (
        "other"  # lint would not let it through
    )
    kubectl("create", "-n", room, "-f", "-", stdin=json.dumps(document))
    found = eventually(
        lambda: [c for c in doctor(room)[1] if c["name"] == "wrong primaryContainerName"],
        seconds=120,
    )
    assert "other" in found[0]["evidence"]
    assert "spec.trialTemplate.primaryContainerName" in found[0]["fix"]


def test_an_api_server_that_is_away_for_a_while_is_waited_for(room: str, tmp_path: Path) -> None:
    document = short_experiment(room, maxTrialCount=5, parallelTrialCount=1)
    with proxied_cluster(tmp_path) as (wire, kubeconfig):
        command = tune(
            write_experiment_file(document, tmp_path), room, tmp_path / "state", "--json"
        )
        with running(*command, env={"KUBECONFIG": str(kubeconfig)}) as followed:
            followed.wait_for(f"trial 1 {room}-")
            wire.cut()
            followed.wait_for("trying again")
            assert followed.process.poll() is None
            wire.restore()
            assert followed.wait() == 0, followed.output
            assert f"trial 5 {room}-" in followed.output


def test_an_account_without_rights_is_told_which_one_is_missing(room: str, tmp_path: Path) -> None:
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    kubectl("create", "serviceaccount", "nobody", "-n", room)
    config["users"][0]["user"] = {"token": kubectl("create", "token", "nobody", "-n", room).strip()}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    command = tune(
        write_experiment_file(short_experiment(room), tmp_path), room, tmp_path / "state"
    )
    done = tunegate(*command, env={"KUBECONFIG": str(tmp_path / "kubeconfig")})
    assert done.returncode == 1
    assert "may not list experiments" in done.stderr
    assert f"system:serviceaccount:{room}:nobody" in done.stderr
