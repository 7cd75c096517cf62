"""What clients of the Kubernetes API get, over runs that no engine works on."""

import time
from pathlib import Path
from typing import Any

import pytest
from support.katib.endpoints import (
    EXPERIMENTS,
    TRIALS,
    StillRuns,
    begun_run,
    ended_trial,
    endpoint,
    events,
    write_run,
)
from support.katib.runs import runnable_document

from katib.document import Document
from katib.experiment import Experiment, to_experiment

AS_TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
DEEP = '{"kind": "Experiment", "metadata": {"labels": ' + '{"a": ' * 950 + "1" + "}" * 952
MERGE = {"Content-Type": "application/merge-patch+json"}


def tiny(**spec: object) -> dict[str, Any]:
    return runnable_document("sh", "-c", "echo mse=${trialParameters.x}", **spec)


def experiment(**spec: object) -> Experiment:
    return to_experiment(Document("tiny", tiny(**spec)))


def test_an_experiment_is_created_and_shown_as_katib_would(tmp_path: Path) -> None:
    with endpoint(StillRuns(tmp_path)) as client:
        created = client.post(EXPERIMENTS, json=tiny() | {"status": {"trials": 9}})
        assert created.status_code == 201
        metadata = created.json()["metadata"]
        assert metadata["namespace"] == "default"
        assert metadata["uid"]
        assert created.json()["spec"]["resumePolicy"] == "Never"
        shown = client.get(f"{EXPERIMENTS}/tiny").json()
        assert shown == created.json()
        assert [each["type"] for each in shown["status"]["conditions"]] == ["Created"]
    with endpoint(StillRuns(tmp_path)) as restarted:
        again = restarted.get(f"{EXPERIMENTS}/tiny").json()
        assert again["metadata"]["uid"] == metadata["uid"]
        assert int(again["metadata"]["resourceVersion"]) > int(metadata["resourceVersion"])


def test_a_name_is_made_from_its_beginning(tmp_path: Path) -> None:
    document = tiny()
    document["metadata"] = {"generateName": "made-", "creationTimestamp": None}
    with endpoint(StillRuns(tmp_path)) as client:
        names = {client.post(EXPERIMENTS, json=document).json()["metadata"]["name"] for _ in "ab"}
    assert len(names) == 2
    assert all(name.startswith("made-") and len(name) == 10 for name in names)


def test_lint_refuses_in_words_of_kubernetes(tmp_path: Path) -> None:
    document = tiny(algorithm={"algorithmName": "rundom"})
    with endpoint(StillRuns(tmp_path)) as client:
        answer = client.post(EXPERIMENTS, json=document)
    status = answer.json()
    assert (answer.status_code, status["kind"], status["reason"]) == (422, "Status", "Invalid")
    assert 'Experiment.kubeflow.org "tiny" is invalid: spec.algorithm' in status["message"]
    cause = status["details"]["causes"][0]
    assert cause["field"] == "spec.algorithm.algorithmName"
    assert cause["message"].startswith("K121 ")
    assert list(tmp_path.iterdir()) == []


def test_what_lint_only_warns_of_is_a_warning(tmp_path: Path) -> None:
    document = tiny()  # without maxFailedTrialCount
    with endpoint(StillRuns(tmp_path)) as client:
        answer = client.post(f"{EXPERIMENTS}?dryRun=All", json=document)
        endless = client.post(f"{EXPERIMENTS}?dryRun=All", json=tiny(maxTrialCount=None))
    assert answer.status_code == 201
    assert "K251" in answer.headers["Warning"]
    assert (endless.status_code, "K202" in endless.headers["Warning"]) == (201, True)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_run_here_is_refused(tmp_path: Path) -> None:
    with endpoint(StillRuns(tmp_path, problem="no such data")) as client:
        answer = client.post(EXPERIMENTS, json=tiny())
    assert answer.status_code == 422
    assert "no such data (do something else)" in answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("{", "application/json"),
        ("[]", "application/json"),
        ("{}", "text/plain"),
        ("[" * 100_000, "application/json"),
        (DEEP, "application/json"),
        ('{"metadata": {"generateName": 5}, "kind": "Trial"}', "application/json"),
    ],
)
def test_a_body_that_is_no_object_is_refused(tmp_path: Path, content: str, kind: str) -> None:
    with endpoint(StillRuns(tmp_path)) as client:
        answer = client.post(EXPERIMENTS, content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


def test_a_taken_name_and_another_namespace_are_refused(tmp_path: Path) -> None:
    begun_run(tmp_path, experiment())
    with endpoint(StillRuns(tmp_path)) as client:
        assert client.post(EXPERIMENTS, json=tiny()).json()["reason"] == "AlreadyExists"
        elsewhere = EXPERIMENTS.replace("default", "other")
        document = tiny()
        document["metadata"]["namespace"] = "default"
        assert client.post(elsewhere, json=document).json()["reason"] == "BadRequest"
        assert client.get(f"{elsewhere}/tiny").status_code == 404


def test_trials_pods_and_the_suggestion_of_a_run(tmp_path: Path) -> None:
    run = begun_run(tmp_path, experiment(), ended_trial(0), ended_trial(1, state="Failed"))
    log = run / "trials" / "tiny-0" / "output.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\nmse=1.5\n")
    with endpoint(StillRuns(tmp_path)) as client:
        selector = {"labelSelector": "katib.kubeflow.org/experiment=tiny"}
        trials = client.get(TRIALS, params=selector).json()["items"]
        assert [each["metadata"]["name"] for each in trials] == ["tiny-0", "tiny-1"]
        assert trials[0]["metadata"]["ownerReferences"][0]["name"] == "tiny"
        assert trials[0]["spec"]["metricsCollector"]["collector"]["kind"] == "StdOut"
        suggestion = client.get(TRIALS.replace("trials", "suggestions") + "/tiny").json()
        assert suggestion["status"]["suggestionCount"] == 2
        selector = {"labelSelector": "katib.kubeflow.org/trial in (tiny-0,tiny-9)"}
        pods = client.get("/api/v1/namespaces/default/pods", params=selector).json()["items"]
        assert [pod["status"]["phase"] for pod in pods] == ["Succeeded"]
        path = f"/api/v1/namespaces/default/pods/{pods[0]['metadata']['name']}/log"
        assert client.get(path, params={"container": "any"}).text == log.read_text()
        assert client.get(path, params={"tailLines": 1, "follow": "true"}).text == "mse=1.5\n"
        assert client.delete(f"{TRIALS}/tiny-0").status_code == 405
        refused = client.delete(path.removesuffix("/log")).json()
        assert refused["reason"] == "MethodNotAllowed"


def test_tables_have_katibs_columns(tmp_path: Path) -> None:
    begun_run(tmp_path, experiment(), ended_trial(0), end="max")
    with endpoint(StillRuns(tmp_path)) as client:
        table = client.get("/apis/kubeflow.org/v1beta1/experiments", headers=AS_TABLE).json()
        shown = [each["name"] for each in table["columnDefinitions"] if not each["priority"]]
        assert shown == ["Name", "Type", "Status", "Age"]
        assert table["rows"][0]["cells"][:5] == ["tiny", "Succeeded", "True", "1/4", "tiny-0"]
        empty = client.get(TRIALS + "?labelSelector=!no,x", headers=AS_TABLE).json()
        assert empty["rows"] == []


def test_a_watch_shows_changes_that_others_make(tmp_path: Path) -> None:
    run = begun_run(tmp_path, experiment())
    with endpoint(StillRuns(tmp_path)) as client:
        version = client.get(EXPERIMENTS).json()["metadata"]["resourceVersion"]
        write_run(run, experiment(), ended_trial(0), end="max")
        params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "0.1"}
        seen = events(client.get(EXPERIMENTS, params=params).content)
        assert [(kind, item["status"]["trials"]) for kind, item in seen] == [("MODIFIED", 1)]
        seen = events(client.get(TRIALS, params=params).content)
        assert [(kind, item["metadata"]["name"]) for kind, item in seen] == [("ADDED", "tiny-0")]
        client.delete(f"{EXPERIMENTS}/tiny")
        seen = events(client.get(TRIALS, params=params).content)
        assert [kind for kind, _ in seen] == ["ADDED", "DELETED"]


def test_a_watch_begins_with_what_is_there(tmp_path: Path) -> None:
    begun_run(tmp_path, experiment())
    params = {"watch": "1", "sendInitialEvents": "true", "timeoutSeconds": "0"}
    with endpoint(StillRuns(tmp_path)) as client:
        seen = events(client.get(EXPERIMENTS, params=params).content)
    assert [kind for kind, _ in seen] == ["ADDED", "BOOKMARK"]
    assert "k8s.io/initial-events-end" in seen[1][1]["metadata"]["annotations"]


def test_a_watch_from_before_the_start_has_to_list_again(tmp_path: Path) -> None:
    params = {"watch": "true", "resourceVersion": "17", "timeoutSeconds": "1"}
    with endpoint(StillRuns(tmp_path)) as client:
        ((kind, status),) = events(client.get(EXPERIMENTS, params=params).content)
    assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


def test_an_engine_that_cannot_continue_fails_the_experiment(tmp_path: Path) -> None:
    with endpoint(StillRuns(tmp_path, engine="false")) as client:
        client.post(EXPERIMENTS, json=tiny())
        deadline = time.monotonic() + 30
        conditions: list[dict[str, str]] = []
        while len(conditions) < 2 and time.monotonic() < deadline:
            conditions = client.get(f"{EXPERIMENTS}/tiny").json()["status"]["conditions"]
    assert [(each["type"], each["status"]) for each in conditions] == [
        ("Created", "False"),
        ("Failed", "True"),
    ]
    assert conditions[1]["message"] == "the engine ended with exit code 1"


def test_a_label_does_not_end_what_an_engine_could_not_continue(tmp_path: Path) -> None:
    run = begun_run(tmp_path, experiment())
    with endpoint(StillRuns(tmp_path, engine="false")) as client:
        path = f"{EXPERIMENTS}/tiny"
        deadline = time.monotonic() + 30
        while "ExperimentFailed" not in client.get(path).text and time.monotonic() < deadline:
            pass
        labels = {"metadata": {"labels": {"team": "a"}}}
        assert client.patch(path, json=labels, headers=MERGE).status_code == 200
    assert "ExperimentFailed" not in (run / "experiment.json").read_text()


def test_counts_may_change_as_on_katib(tmp_path: Path) -> None:
    begun_run(tmp_path, experiment(resumePolicy="LongRunning"), ended_trial(0), end="max")
    path = f"{EXPERIMENTS}/tiny"
    with endpoint(StillRuns(tmp_path)) as client:

        def patch(spec: dict[str, object], query: str = "") -> Any:  # noqa: ANN401 - an answer
            return client.patch(path + query, json={"spec": spec}, headers=MERGE)

        other = patch({"objective": {"type": "maximize"}})
        assert (other.status_code, "are editable" in other.text) == (400, True)
        late = patch({"maxTrialCount": 1, "parallelTrialCount": 1})
        assert "must be greater than status.trials count: 1" in late.json()["message"]
        before = client.get(path).json()["metadata"]
        dry = patch({"maxTrialCount": 9}, "?dryRun=All").json()
        assert (dry["metadata"], dry["spec"]["maxTrialCount"]) == (before, 9)
        assert client.get(path).json()["spec"]["maxTrialCount"] == 4
        changed = patch({"maxTrialCount": 9}).json()
        assert changed["spec"]["maxTrialCount"] == 9
        assert changed["status"]["conditions"][-1]["type"] == "Created"
        operations = [{"op": "add", "path": "/metadata/labels", "value": {"team": "a"}}]
        labelled = client.patch(
            path, json=operations, headers={"Content-Type": "application/json-patch+json"}
        )
        assert labelled.json()["metadata"]["labels"] == {"team": "a"}
        applied = client.patch(
            path, json={}, headers={"Content-Type": "application/apply-patch+yaml"}
        )
        assert applied.status_code in {400, 415}


def test_what_has_ended_for_good_does_not_change(tmp_path: Path) -> None:
    begun_run(tmp_path, experiment(), ended_trial(0), end="max")
    with endpoint(StillRuns(tmp_path)) as client:
        answer = client.patch(
            f"{EXPERIMENTS}/tiny", json={"spec": {"maxTrialCount": 9}}, headers=MERGE
        )
    assert answer.status_code == 400
    assert "can't be restarted" in answer.json()["message"]


def test_deleting_removes_all_runs_of_the_experiment(tmp_path: Path) -> None:
    begun_run(tmp_path, experiment())
    begun_run(tmp_path, experiment())
    with endpoint(StillRuns(tmp_path)) as client:
        assert client.delete(f"{EXPERIMENTS}/tiny?dryRun=All").status_code == 200
        options = {"kind": "DeleteOptions", "dryRun": ["All"]}  # where kubectl says so
        dry = client.request("DELETE", f"{EXPERIMENTS}/tiny", json=options)
        assert dry.status_code == 200
        assert client.get(f"{EXPERIMENTS}/tiny").status_code == 200
        assert client.delete(EXPERIMENTS).status_code == 200
        assert client.get(EXPERIMENTS).json()["items"] == []
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example:8001"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "localhost:8001"}, 200),
        ({"Host": "[::1]:8001"}, 200),
        ({"Host": "[::1]"}, 200),
    ],
)
def test_pages_of_a_browser_are_refused(tmp_path: Path, headers: dict[str, str], code: int) -> None:
    with endpoint(StillRuns(tmp_path)) as client:
        assert client.get("/version", headers=headers).status_code == code


def test_a_token_lets_others_in(tmp_path: Path) -> None:
    with endpoint(StillRuns(tmp_path), "open sesame") as client:
        assert client.get("/version").json()["reason"] == "Unauthorized"
        known = {"Authorization": "Bearer open sesame", "Host": "node7:8001"}
        assert client.get("/version", headers=known).status_code == 200


def test_a_long_body_is_refused_unread(tmp_path: Path) -> None:
    with endpoint(StillRuns(tmp_path)) as client:
        answer = client.post(EXPERIMENTS, content=b" " * (3 << 20) + b"{}")
        unknown = client.post(EXPERIMENTS, content=iter([b"{}"]))
    assert (answer.status_code, unknown.status_code) == (413, 411)


def test_kubectl_finds_out_what_there_is(tmp_path: Path) -> None:
    with endpoint(StillRuns(tmp_path)) as client:
        found = client.get("/apis/kubeflow.org/v1beta1").json()["resources"]
        assert [each["name"] for each in found] == ["experiments", "trials", "suggestions"]
        assert client.get("/apis").json()["groups"][0]["name"] == "kubeflow.org"
        assert client.get("/apis/apps/v1").json()["kind"] == "Status"
        assert client.get("/api/v1/namespaces/any").json()["kind"] == "Namespace"
        core = client.get("/api/v1").json()["resources"]
        assert {name for each in core for name in each["shortNames"]} == {"po", "ev", "ns"}
        runtimes = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes"
        (runtime,) = client.get(runtimes).json()["items"]
        assert client.get(f"{runtimes}/{runtime['metadata']['name']}").json() == runtime
