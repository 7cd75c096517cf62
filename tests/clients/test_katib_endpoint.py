"""Katib's own clients work with this machine as with a cluster."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes.client import ApiClient, Configuration
from support.cli import free_port, running
from support.katib.experiments import eventually
from support.katib.runs import finished_run, runnable_document
from support.patience import patience

from katib.cluster.client import KubernetesClient
from katib.cluster.experiments import KatibCluster
from katib.document import Document
from katib.experiment import to_experiment
from katib.objects import rank

from .conftest import Peer, Results

HERE = Path(__file__).parent
ECHO = ("sh", "-c", "echo mse=${trialParameters.x}")


@pytest.fixture(scope="module")
def ask(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Results]:
    """Run a client's script against an endpoint, and keep what each of its ways gave."""
    state = tmp_path_factory.mktemp("state")
    known: dict[str, Results] = {}

    def run(name: str) -> Results:
        if name in known:
            return known[name]
        python = peer(name)
        kept = finished_run(state, *ECHO, maxTrialCount=2)
        port = free_port()
        once = runnable_document(
            *ECHO,
            maxTrialCount=1,
            parallelTrialCount=1,
            resumePolicy="LongRunning",
        )
        once["metadata"]["name"] = "once"
        # The SDK reports, in its own environment, as if this were a pod.
        pushing = runnable_document(
            "python",
            "-c",
            "from kubeflow import katib; katib.report_metrics({'mse': 0.5, 'mae': 2})",
            maxTrialCount=1,
            parallelTrialCount=1,
            metricsCollectorSpec={"collector": {"kind": "Push"}},
        )
        pushing["metadata"]["name"] = "pushing"
        ours = {**runnable_document(*ECHO, maxTrialCount=2), "metadata": {"name": "ours"}}
        database = free_port()
        asked = {
            "url": f"http://127.0.0.1:{port}",
            "kept": kept.experiment["metadata"]["name"],
            "document": once,
            "pushing": pushing,
            "database": f"127.0.0.1:{database}",
            "seconds": int(patience(120)),
        }
        words = ("--port", port, "--db-manager-port", database, "--image", f"any:1={python}")
        with running("katib", "--state", state, *words) as command:
            command.wait_for("Katib's API at")
            eventually(lambda: is_up(port))
            api = ApiClient(Configuration(host=asked["url"]))
            cluster = KatibCluster(KubernetesClient(api), "default")  # of `tune --on katib`
            cluster.submit(to_experiment(Document("ours", ours)))
            done = subprocess.run(
                [str(python), str(HERE / f"with_{name}.py")],
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                timeout=patience(500),
                check=False,
            )
            assert done.returncode == 0, done.stderr
            known[name] = json.loads(done.stdout.splitlines()[-1])
            if name == "katib":
                *_, theirs = cluster.follow("once", timeout=patience(60))
                known[name]["ranked"] = {"result": [each.value for each in rank(theirs.trials)]}
        known[name]["expected"] = {"result": kept.experiment["status"]["currentOptimalTrial"]}
        return known[name]

    return run


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
    except httpx.TransportError:
        return False


def result(found: Results, way: str) -> Any:  # noqa: ANN401 - JSON
    assert "result" in found[way], found[way]["error"]
    return found[way]["result"]


def test_katibs_client_tunes_a_function(ask: Callable[[str], Results]) -> None:
    found = ask("katib")
    assert result(found, "tune") is None
    assert "Succeeded" in result(found, "wait")
    trials = result(found, "trials")
    assert len(trials) == 3
    losses = {each["name"]: float(each["loss"]) for each in result(found, "details")}
    assert sorted(losses) == trials
    best = result(found, "optimum")
    assert losses[best["trial"]] == min(losses.values())
    assert set(best["values"]) == {"a", "b"}
    assert result(found, "logs") == [f"loss={losses[trials[0]]}"]
    assert result(found, "suggestion") == 3


def test_katibs_function_pushes_metrics_and_its_client_reads_them(
    ask: Callable[[str], Results],
) -> None:
    found = ask("katib")
    metrics = result(found, "metrics")
    assert metrics["pushed"] == [["mse", "0.5"], ["mae", "2"]]
    assert metrics["observed"] == [["mse", "0.5"]]
    (printed,) = metrics["printed"]
    assert f"{printed[0]}={printed[1]}" == result(found, "logs")[0]


def test_katibs_client_reads_a_run_of_the_command_line(ask: Callable[[str], Results]) -> None:
    found = ask("katib")
    assert result(found, "kept") == [result(found, "expected")["bestTrialName"]]


def test_either_client_ranks_what_the_other_has_created(ask: Callable[[str], Results]) -> None:
    found = ask("katib")
    ours = result(found, "ours")
    assert len(ours["values"]) == 2
    assert ours["best"] == min(ours["values"], key=float)
    assert len(result(found, "ranked")) == 2
    assert result(found, "ranked")[0] == min(result(found, "ranked"))


def test_katibs_client_raises_a_budget(ask: Callable[[str], Results]) -> None:
    assert result(ask("katib"), "budget") == 2


def test_katibs_client_tunes_without_an_end(ask: Callable[[str], Results]) -> None:
    found = result(ask("katib"), "endless")
    assert found["unbounded"] is None
    assert found["over"] == 0
    assert found["metrics"] == ["accuracy", "loss"]


def test_the_notebook_of_resume_policies_runs(ask: Callable[[str], Results]) -> None:
    assert result(ask("katib"), "notebook") == {
        "names": ["never", "volume"],
        "succeeded": [True, True],
        "conditions": 3,
        "trials": 2,
        "policies": ["Never", "FromVolume"],
        "limit": 2,
    }


def test_katibs_client_learns_that_a_name_is_taken_and_deletes(
    ask: Callable[[str], Results],
) -> None:
    found = ask("katib")
    assert "already exists" in result(found, "again")
    assert sorted(result(found, "delete")) == ["once", "ours", "pushing", "tiny"]


def test_the_kubeflow_sdk_optimizes_a_function(ask: Callable[[str], Results]) -> None:
    found = ask("kubeflow")
    assert result(found, "optimize") is None
    job = result(found, "wait")
    assert job["status"] == "Complete"
    assert [status for status, _ in job["trials"].values()] == ["Complete", "Complete"]
    losses = [loss for _, loss in job["trials"].values()]
    assert result(found, "best") == min(losses, key=float)
    assert result(found, "logs") == [f"loss={result(found, 'best')}"]
    assert result(found, "events") == 0
    assert result(found, "trainer") == ["Complete", "loss"]
    assert "K305 trainer.numNodes is more than one" in result(found, "nodes")
    assert result(found, "delete") == "gone"
