"""Causes in what a real Katib left behind (see recordings/README.md), and in variants of that."""

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.cluster.recordings import RECORDINGS

from katib.diagnosis.cluster_run import explain_experiment
from katib.diagnosis.installation import INJECTION
from katib.diagnosis.pod_causes import Cause

READY = {"metadata": {"name": "c"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
AROUND = {
    "namespace": {"metadata": {"name": "tuning", "labels": {INJECTION: "enabled"}}},
    "installed": True,
    "controller": [READY],
    "parts": [READY],
    "deployments": [],
    "algorithms": ["bayesianoptimization", "random"],
    "hidden": [],
}


def case(name: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((RECORDINGS / "snapshots" / f"{name}.json").read_bytes())
    return {**recorded, **copy.deepcopy(AROUND)}


def first(snapshot: dict[str, Any]) -> Cause:
    return explain_experiment(snapshot)[0]


def warn(kind: str, name: str, reason: str, message: str) -> dict[str, Any]:
    involved = {"kind": kind, "name": name}
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": "z",
        "involvedObject": involved,
    }


def running() -> dict[str, Any]:
    """Return an Experiment with one Trial, whose pod runs."""
    return case("a-normal-at-18-seconds")


def trial_pod(snapshot: dict[str, Any]) -> dict[str, Any]:
    return next(pod for pod in snapshot["pods"] if "job-name" in pod["metadata"]["labels"])


def waiting(reason: str, message: str = "", image: str = "some/image:1") -> dict[str, Any]:
    """Return the state of a pod whose container waits for this reason."""
    status = {
        "name": "training",
        "image": image,
        "state": {"waiting": {"reason": reason, "message": message}},
    }
    return {"phase": "Pending", "containerStatuses": [status]}


def deployment(name: str, available: int) -> dict[str, Any]:
    status = {"availableReplicas": available} if available else {}
    return {"metadata": {"name": name}, "spec": {"replicas": 1}, "status": status}


def database_pod() -> dict[str, Any]:
    """Return the pod of a database whose image is still to come, as on a fresh Minikube."""
    labels = {"katib.kubeflow.org/component": "mysql"}
    metadata = {"name": "katib-mysql-x", "namespace": "kubeflow", "labels": labels}
    status = waiting("ImagePullBackOff", "back-off", "mysql:8.0.29")
    return {"metadata": metadata, "status": status}


# Nothing wrong


def test_a_normal_run_with_warnings_has_nothing_wrong() -> None:
    snapshot = case("a-normal")
    assert [event["reason"] for event in snapshot["events"]].count(
        "ReconcileError"
    ) == 2  # or this shows nothing
    (cause,) = explain_experiment(snapshot)
    assert cause.ok
    assert cause.evidence == "Succeeded, 6 trials: 6 Succeeded"


def test_one_that_runs_has_nothing_wrong() -> None:
    (cause,) = explain_experiment(running())
    assert cause.ok
    assert cause.evidence == "Running, 1 trials: 1 Running"


def test_a_starting_suggestion_pod_is_named_but_not_wrong() -> None:
    snapshot = case("i-no-command") | {"trials": [], "jobs": [], "events": []}
    (cause,) = explain_experiment(snapshot)
    assert cause.ok
    assert "none yet; the suggestion pod is starting" in cause.evidence


def test_failures_among_successes_are_only_counted() -> None:
    snapshot = case("a-normal")
    snapshot["trials"][0]["status"]["conditions"][-1]["type"] = "Failed"
    assert first(snapshot).ok
    assert "1 Failed, 5 Succeeded" in first(snapshot).evidence


def test_what_may_not_be_read_is_named() -> None:
    assert (
        explain_experiment(running() | {"hidden": ["events", "pods"]})[-1].evidence
        == "this account may not read events, pods"
    )


# The surroundings


@pytest.mark.parametrize(
    ("change", "name", "fix"),
    [
        ({"installed": False}, "Katib is not installed", "tunegate cluster install"),
        ({"controller": []}, "Katib's controller does not run", "tunegate cluster install"),
        (
            {"controller": [], "deployments": [deployment("katib-controller", 0)]},
            "Katib's controller does not run",
            f"kubectl label namespace kubeflow {INJECTION}- && ",
        ),
        (
            {"deployments": [deployment("katib-mysql", 0)], "parts": [database_pod()]},
            "Katib's database does not run",
            "minikube image load mysql:8.0.29",
        ),
        (
            {"deployments": [deployment("katib-db-manager", 0)], "parts": []},
            "Katib's DB manager does not run",
            "&& kubectl -n kubeflow rollout restart deployment katib-db-manager && ",
        ),
        (
            {"controller": [{"metadata": {}, "status": {}}]},
            "Katib's controller does not run",
            "kubectl -n kubeflow",
        ),
        ({"namespace": None}, "namespace missing", "kubectl create namespace tuning"),
        (
            {"namespace": {"metadata": {}}},
            "label missing",
            f"kubectl label namespace tuning {INJECTION}=enabled",
        ),
        ({}, "no such Experiment", "tunegate tune --on katib --namespace tuning"),
    ],
)
def test_an_absent_experiment_is_explained_by_its_surroundings(
    change: dict[str, Any], name: str, fix: str
) -> None:
    cause = first(running() | {"experiment": None} | change)
    assert cause.name == name
    assert fix in cause.fix
    assert not cause.ok


@pytest.mark.parametrize(
    "change", [{"controller": []}, {"namespace": {"metadata": {"labels": {}}}}]
)
def test_the_surroundings_come_first_for_an_existing_one(change: dict[str, Any]) -> None:
    found = explain_experiment(case("i-no-command") | change)
    assert found[0].name in {"Katib's controller does not run", "label missing"}
    assert len(found) == 2


def test_what_is_unknown_is_no_fault() -> None:
    assert first(
        running()
        | {"controller": None, "algorithms": None, "namespace": None, "hidden": ["namespaces"]}
        | {"parts": None, "deployments": None}
    ).ok


def test_an_algorithm_that_is_not_installed_is_named() -> None:
    assert first(running() | {"algorithms": ["random"]}).name == "algorithm not installed"


# The suggestion


def test_a_refused_setting_is_explained_in_the_services_words() -> None:
    cause = first(case("h-bad-setting"))
    assert cause.name == "the algorithm's service refuses"
    assert "unknown setting seed for algorithm bayesianoptimization" in cause.evidence
    assert "kubectl delete experiment bad-setting -n tuning" in cause.fix


@pytest.mark.parametrize("place", ["state", "lastState"])
def test_a_suggestion_pod_that_is_killed_for_its_memory_gets_more(place: str) -> None:
    snapshot = case("i-no-command")
    status = next(pod for pod in snapshot["pods"])["status"]["containerStatuses"][0]
    status |= {"restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    status[place] = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    cause = first(snapshot)
    assert cause.name == "suggestion pod: out of memory"
    assert "4 restarts" in cause.evidence
    deployment = "deployment no-command-bayesianoptimization -n tuning"
    assert f"kubectl set resources {deployment} --limits=memory=512Mi" in cause.fix


def test_a_suggestion_pod_that_crashes_shows_where_its_words_are() -> None:
    snapshot = case("i-no-command")
    pod = snapshot["pods"][0]
    pod["status"]["containerStatuses"][0] |= {
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
    }
    cause = first(snapshot)
    assert "exit code 1, 2 restarts" in cause.evidence
    assert f"kubectl logs {pod['metadata']['name']} -n tuning -c suggestion --previous" in cause.fix


def test_a_suggestion_pod_without_its_image_or_a_node_is_explained() -> None:
    snapshot = case("i-no-command") | {"trials": [], "jobs": [], "events": []}
    snapshot["pods"][0]["status"] = waiting("ImagePullBackOff", "back-off", "ghcr.io/x:1")
    assert first(snapshot).name == "suggestion pod: image not pulled"
    message = "0/1 nodes are available: 1 Insufficient ephemeral-storage."
    snapshot["pods"][0]["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": message,
            }
        ],
    }
    assert first(snapshot).name == "suggestion pod: no node has room"
    assert message in first(snapshot).evidence


def test_a_suggestion_pod_that_cannot_be_made_is_explained() -> None:
    snapshot = case("i-no-command") | {"trials": [], "jobs": [], "pods": []}
    replicas = "no-command-bayesianoptimization-6d464c5fbd"
    snapshot["events"] = [
        warn(
            "ReplicaSet",
            replicas,
            "FailedCreate",
            "Error creating: pods is forbidden: exceeded quota",
        )
    ]
    assert first(snapshot).name == "suggestion pod: quota"


# Trials that do not start


def test_a_template_without_a_command_is_explained_from_the_jobs_events() -> None:
    cause = first(case("i-no-command"))
    assert cause.name == "no command"
    assert "could not parse reference: localhost/trial:1" in cause.evidence
    assert cause.evidence.endswith("(and 1 more)")
    assert "`command`" in cause.fix


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (
            "Unable to find primary container main in mutated pod containers [x]",
            "wrong primaryContainerName",
        ),
        (
            'pods "a-" is forbidden: error looking up service account t/x: serviceaccount "x"',
            "service account missing",
        ),
        (
            'pods "a-" is forbidden: exceeded quota: q, requested: cpu=1, limited: cpu=0',
            "quota",
        ),
        (
            'pods "a-" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot',
            "Pod Security",
        ),
        (
            'Internal error occurred: failed calling webhook "mutator.pod"',
            "Katib's controller does not answer",
        ),
        ("something new", "pods are refused"),
    ],
)
def test_a_pod_that_is_refused_is_explained_from_the_jobs_events(message: str, name: str) -> None:
    snapshot = case("i-no-command")
    job = snapshot["jobs"][0]["metadata"]["name"]
    snapshot["events"] = [warn("Job", job, "FailedCreate", f"Error creating: {message}")]
    (cause,) = explain_experiment(snapshot)
    assert (cause.name, cause.evidence) == (name, f"Job {job}: {message}")
    assert cause.fix


def test_a_refusal_that_was_overcome_is_no_fault() -> None:
    snapshot = running()
    job = snapshot["jobs"][0]["metadata"]["name"]
    snapshot["events"].append(warn("Job", job, "FailedCreate", "Error creating: timeout"))
    assert first(snapshot).ok


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"]
)
def test_a_missing_image_is_named(reason: str) -> None:
    snapshot = running()
    trial_pod(snapshot)["status"] = waiting(reason, 'not found: "some/image:1"')
    (cause,) = explain_experiment(snapshot)
    assert cause.name == "trial: image not pulled"
    assert reason in cause.evidence
    assert "minikube image load some/image:1" in cause.fix


def test_a_container_whose_configuration_is_missing_is_explained() -> None:
    snapshot = running()
    trial_pod(snapshot)["status"] = waiting("CreateContainerConfigError", 'secret "s" not found')
    assert 'secret "s" not found' in first(snapshot).evidence


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ('persistentvolumeclaim "models" not found', "trial: volume missing"),
        ("pod has unbound immediate PersistentVolumeClaims", "trial: volume missing"),
        ("0/1 nodes are available: 1 Insufficient cpu.", "trial: no node has room"),
    ],
)
def test_a_pod_that_waits_for_a_node_is_explained(message: str, name: str) -> None:
    snapshot = running()
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }
    trial_pod(snapshot)["status"] = {"phase": "Pending", "conditions": [condition]}
    assert first(snapshot).name == name


def test_a_volume_that_cannot_be_mounted_is_explained() -> None:
    snapshot = running()
    pod = trial_pod(snapshot)
    pod["status"] = {"phase": "Pending"}
    snapshot["events"].append(warn("Pod", pod["metadata"]["name"], "FailedMount", "no such volume"))
    assert "no such volume" in first(snapshot).evidence


def test_a_failing_trial_that_is_retried_seven_times_is_explained_before_it_counts() -> None:
    snapshot = running()
    snapshot["jobs"][0]["spec"] = {}
    snapshot["jobs"][0]["status"]["failed"] = 2
    trial_pod(snapshot)["status"] = {
        "phase": "Failed",
        "containerStatuses": [
            {"name": "training", "state": {"terminated": {"exitCode": 2, "reason": "Error"}}}
        ],
    }
    (cause,) = explain_experiment(snapshot)
    assert "has failed 2 times and is tried 7 times in all: Error, exit code 2" in cause.evidence
    assert "backoffLimit: 0" in cause.fix


# Trials that end badly


def test_when_all_trials_fail_katibs_words_are_shown_and_how_to_keep_the_logs() -> None:
    cause = first(case("c-failing"))
    assert cause.name == "all trials fail"
    assert cause.evidence.startswith("3 of 3 trials have failed, none has a result; failing-")
    assert "BackoffLimitExceeded" in cause.evidence
    assert "retain: true" in cause.fix


def test_where_the_pods_are_still_there_the_exit_code_is_shown() -> None:
    snapshot = case("c-failing")
    name = snapshot["trials"][0]["metadata"]["name"]
    ended = {"exitCode": 3, "reason": "Error", "message": "Traceback: no such file\n"}
    collector = {"name": "metrics-logger-and-collector", "state": {"terminated": {"exitCode": 1}}}
    labels = {"job-name": name}
    status = {
        "phase": "Failed",
        "containerStatuses": [collector, {"name": "training", "state": {"terminated": ended}}],
    }
    snapshot["pods"] = [
        {
            "metadata": {"name": f"{name}-x", "namespace": "tuning", "labels": labels},
            "status": status,
        }
    ]
    cause = first(snapshot)
    assert "container training: Error, exit code 3: Traceback: no such file" in cause.evidence
    assert (
        f"`kubectl logs -n tuning -l katib.kubeflow.org/trial={name} --all-containers --tail=20`"
        in cause.fix
    )
    ended["reason"] = "OOMKilled"
    assert first(snapshot).name == "all trials fail: out of memory"


def test_metrics_that_were_never_printed_are_explained() -> None:
    cause = first(case("d-unavailable"))
    assert cause.evidence == "3 of 3 trials ended without printing mse"
    assert "`mse=<number>` on a line of its own" in cause.fix


def test_trials_that_print_nan_are_explained_though_they_succeeded_and_katib_is_content() -> None:
    snapshot = case("d2-nan")
    assert snapshot["experiment"]["status"]["conditions"][-1]["type"] == "Succeeded"
    assert first(snapshot).evidence == "3 of 3 trials succeeded, none with a finite mse"


def test_few_numbers_among_successes_are_named_and_that_katib_takes_one_without_as_best() -> None:
    snapshot = case("a-normal")
    assert first(snapshot).ok
    *without, best = snapshot["trials"]
    snapshot["experiment"]["status"]["currentOptimalTrial"] |= {
        "bestTrialName": best["metadata"]["name"]
    }
    for trial in without[: len(without) // 2 + 1]:
        trial["status"]["observation"]["metrics"] = [{"name": "mse", "min": "unavailable"}]
    assert first(snapshot).ok  # half of them
    without[-1]["status"]["observation"]["metrics"] = []
    cause = first(snapshot)
    assert cause.name == "not a number"
    assert cause.evidence == "4 of 6 trials that ran to their end have no mse"
    name = without[0]["metadata"]["name"]
    snapshot["experiment"]["status"]["currentOptimalTrial"] |= {"bestTrialName": name}
    assert f"Katib's best trial, {name}, is one of them" in first(snapshot).evidence


# Early-stopped trials


def stopped(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [trial for trial in snapshot["trials"] if "observation" not in trial["status"]]
    assert lists  # or nothing is shown
    return lists


def test_an_experiment_that_waits_for_early_stopped_trials_is_recognised() -> None:
    (cause,) = explain_experiment(case("k-stopped-hanging"))
    assert (cause.name, cause.ok) == ("waits for early-stopped trials", False)
    assert "nothing runs: 2 of 6 trials are EarlyStopped without observation" in cause.evidence
    assert "spec.trialTemplate.retain: true" in cause.fix


def test_the_command_patches_each_stopped_trial_with_the_limit_that_it_has_not_met(
    tmp_path: Path,
) -> None:
    """In a shell, with a kubectl that writes down what it is asked for."""
    snapshot = case("k-stopped-hanging")
    names = [trial["metadata"]["name"] for trial in stopped(snapshot)]
    limits = [trial["spec"]["earlyStoppingRules"][0]["value"] for trial in stopped(snapshot)]
    asked = tmp_path / "asked"
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >>{asked}\n")
    kubectl.chmod(0o755)
    command = first(snapshot).fix.split("`")[1]
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", command], check=True, env={**os.environ, "PATH": path})
    words = asked.read_text().splitlines()
    assert [words[at + 1] for at, word in enumerate(words) if word == "trial"] == names
    patches = [json.loads(word) for word in words if word.startswith("{")]
    assert [patch["status"]["observation"]["metrics"][0] for patch in patches] == [
        {"name": "mse", "min": limit, "max": limit, "latest": limit} for limit in limits
    ]
    assert words.count("--subresource=status") == len(names)


@pytest.mark.parametrize("what", ["one runs", "its job is there", "observed", "ended"])
def test_stopped_trials_are_no_fault_while_the_experiment_can_go_on(what: str) -> None:
    snapshot = case("k-stopped-hanging")
    one, *others = stopped(snapshot)
    if what == "one runs":
        one["status"]["conditions"].pop()
    elif what == "ended":
        last = {"type": "Succeeded", "status": "True", "message": "", "reason": ""}
        snapshot["experiment"]["status"]["conditions"].append(last)
    else:
        for trial in [one, *others]:
            if what == "observed":
                metrics = [{"name": "mse", "latest": "30.00"}]
                trial["status"]["observation"] = {"metrics": metrics}
            else:  # with `retain: true` Katib reads the reports when the Job is complete
                job = {"metadata": {"name": trial["metadata"]["name"]}, "spec": {}, "status": {}}
                snapshot["jobs"].append(job)
    assert first(snapshot).ok


# Katib itself


def test_an_error_of_katibs_own_is_explained_but_not_its_two_harmless_ones() -> None:
    snapshot = running()
    name = snapshot["name"]
    snapshot["events"] = [
        warn(
            "Experiment",
            name,
            "ReconcileError",
            'Failed to reconcile: suggestions.kubeflow.org "x" already exists',
        ),
        warn(
            "Experiment",
            name,
            "ReconcileError",
            "Operation cannot be fulfilled: the object has been modified",
        ),
    ]
    assert first(snapshot).ok
    snapshot["events"].append(
        warn("Experiment", name, "ReconcileError", "parameter assignments do not match")
    )
    (cause,) = explain_experiment(snapshot)
    assert "parameter assignments do not match" in cause.evidence


@pytest.mark.parametrize("name", sorted(path.stem for path in (RECORDINGS / "snapshots").iterdir()))
def test_every_cause_has_evidence_and_a_fix(name: str) -> None:
    for cause in explain_experiment(case(name)):
        assert cause.evidence
        assert cause.ok or cause.fix
