"""Our Suggestion service in a real cluster: registered, deployed, asked, killed, and refusing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cluster.clusters import short_experiment, temporary_namespace
from support.cluster.kubectl import kubectl, kubectl_json
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    as_document,
    build_document,
    eventually,
    python_command,
    run_experiment,
    trial_assignments,
)

from katib.experiment import to_experiment
from katib.objects import has_observation, state

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG names no cluster"),
]
ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("TUNEGATE_TEST_SUGGESTION_IMAGE", "localhost/tunegate-suggestion:0.2.0")
SPACE = {"x": ("double", {"min": "0.001", "max": "1", "distribution": "logUniform"})}
PRINT = "print('mse=${trialParameters.x}')"
REPORTS = """python -c 'import time
for _ in range(5):
    print("mse=${trialParameters.x}", flush=True)
    time.sleep(1)'"""
CONFIG = ("configmap", "katib-config", "-n", "kubeflow")


def register(*options: str) -> None:
    command = [
        ROOT / "manifests" / "components" / "suggestion" / "register",
        "--image",
        IMAGE,
        *options,
    ]
    env = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def room() -> Iterator[str]:
    with temporary_namespace() as name:
        yield name


@pytest.fixture
def config() -> Iterator[None]:
    """Give Katib's configuration back as it was."""
    before = kubectl_json(*CONFIG)["data"]
    try:
        yield
    finally:
        kubectl("patch", *CONFIG, "--type=merge", "-p", json.dumps({"data": before}))


def create(room: str, document: dict[str, Any]) -> None:
    kubectl("create", "-n", room, "-f", "-", stdin=json.dumps(document))


def condition(kind: str, room: str, wanted: str) -> dict[str, Any] | None:
    """Return a condition of the Experiment's object that holds, or None."""
    found = kubectl_json(kind, room, "-n", room).get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == wanted and c["status"] == "True"), None)


def await_condition(kind: str, room: str, wanted: str) -> dict[str, Any]:
    found: dict[str, Any] = eventually(lambda: condition(kind, room, wanted), seconds=240)
    return found


def points(room: str) -> list[dict[str, str]]:
    """Return the parameters of the Experiment's Trials in the order of their suggestion."""
    given = kubectl_json("suggestion", room, "-n", room)["status"]["suggestions"]
    trials = {trial["metadata"]["name"] for trial in kubectl_json("trials", "-n", room)["items"]}
    assert trials == {each["name"] for each in given}
    assert all(re.fullmatch(rf"{room}-[0-9]+-[a-z0-9]{{8}}", name) for name in trials)
    return [{p["name"]: p["value"] for p in each["parameterAssignments"]} for each in given]


def pods(room: str, name: str) -> list[str]:
    found = kubectl_json("pods", "-n", room, "-l", f"katib.kubeflow.org/deployment={name}")["items"]
    return [pod["metadata"]["name"] for pod in found]


def test_katib_gives_the_trials_of_a_local_run_though_the_service_is_killed_amid_the_search(
    room: str, tmp_path: Path
) -> None:
    register()
    spec = {
        "parameters": SPACE,
        "algorithm": algorithm_spec("tunegate", n_initial_points="2"),
        "parallelTrialCount": 1,
    }
    create(room, short_experiment(room, maxTrialCount=5, **spec))
    eventually(lambda: len(kubectl_json("trials", "-n", room)["items"]) == 2, seconds=120)
    for pod in pods(room, f"{room}-tunegate"):
        kubectl("delete", "pod", pod, "-n", room, "--grace-period=0", "--force")
    await_condition("experiment", room, "Succeeded")

    local = to_experiment(
        as_document(
            build_document(*python_command(PRINT), annotations=BATCH, maxTrialCount=5, **spec)
        )
    )
    assert points(room) == trial_assignments(run_experiment(local, tmp_path / "run"))


def test_it_serves_several_at_a_time_within_its_memory_in_place_of_another_algorithm(
    room: str, config: None
) -> None:
    register("--replace", "bayesianoptimization")
    settings = algorithm_spec("bayesianoptimization", acq_func="EI")
    counts = {
        "maxTrialCount": 9,
        "parallelTrialCount": 3,
        "resumePolicy": "LongRunning",
    }  # which keeps the pod
    create(room, short_experiment(room, parameters=SPACE, algorithm=settings, **counts))
    await_condition("experiment", room, "Succeeded")
    status = kubectl(
        "exec", "-n", room, f"deploy/{room}-bayesianoptimization", "--", "cat", "/proc/1/status"
    )
    peak = int(status.partition("VmHWM:")[2].split()[0])
    assert peak < 160 << 10  # KiB; what the entry requests
    found = points(room)
    assert len(found) == len({point["x"] for point in found}) == 9


def test_a_bad_setting_fails_the_experiment_with_words_that_say_why(room: str) -> None:
    register()
    create(room, short_experiment(room, algorithm=algorithm_spec("tunegate", seed="3")))
    await_condition("experiment", room, "Failed")
    failed = await_condition("suggestion", room, "Failed")
    assert "seed is not a setting of tunegate" in failed["message"]
    assert "the seed is called random_state" in failed["message"]


def test_an_experiment_with_stopped_trials_comes_to_its_end_without_retain(room: str) -> None:
    """Where nobody writes their observation, Katib waits for ever (katib#1377)."""
    register()
    strict = {"margin": "0", "min_trials_required": "1"}
    settings = [{"name": name, "value": value} for name, value in strict.items()]
    spec = {
        "algorithm": algorithm_spec("tunegate"),
        "earlyStopping": {"algorithmName": "tunegate", "algorithmSettings": settings},
        "objective": {
            "type": "minimize",
            "objectiveMetricName": "mse",
            "metricStrategies": [{"name": "mse", "value": "latest"}],
        },
    }
    create(room, short_experiment(room, REPORTS, maxTrialCount=6, **spec))
    await_condition("experiment", room, "Succeeded")
    trials = kubectl_json("trials", "-n", room)["items"]
    stopped = [trial for trial in trials if state(trial) == "EarlyStopped"]
    assert len(trials) == 6
    assert stopped  # or this shows nothing
    assert all(map(has_observation, stopped))
