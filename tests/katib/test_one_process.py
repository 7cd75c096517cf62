"""Trials of Kubeflow's other kinds run here as the one process that their operators would start."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import (
    build_document,
    python_command,
    run_experiment,
    using_parameters,
)

from katib.document import Document
from katib.experiment import Experiment, to_experiment
from katib.lint import lint_document
from katib.objects import rank
from katib.one_process import find_obstacle, local_job

SCRIPT = "import json, os; print(json.dumps(dict(os.environ))); print('mse=${trialParameters.x}')"
SHOW = list(python_command(SCRIPT))


def replica(count: int = 1, **pod: object) -> dict[str, Any]:
    container = {"name": "main", "image": "any:1", "command": SHOW}
    return {"replicas": count, "template": {"spec": {"containers": [container], **pod}}}


def training_job(kind: str, field: str, **replicas: object) -> dict[str, Any]:
    return {"apiVersion": "kubeflow.org/v1", "kind": kind, "spec": {field: replicas}}


def train_job(**trainer: object) -> dict[str, Any]:
    spec = {"runtimeRef": {"name": "plain"}, "trainer": {"command": SHOW, **trainer}}
    return {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": spec}


PYTORCH = training_job("PyTorchJob", "pytorchReplicaSpecs", Master=replica(), Worker=replica(0))
KINDS = {
    "PyTorchJob": PYTORCH,
    "TFJob": training_job("TFJob", "tfReplicaSpecs", Worker=replica()),
    "XGBoostJob": training_job("XGBoostJob", "xgbReplicaSpecs", Master=replica()),
    "MPIJob": training_job("MPIJob", "mpiReplicaSpecs", Launcher=replica(), Worker=replica()),
    "TrainJob": train_job(numProcPerNode=1),
}
INJECTED = {
    "PyTorchJob": {"WORLD_SIZE": "1", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "PET_NNODES": "1"},
    "TFJob": {},
    "XGBoostJob": {"WORLD_SIZE": "1", "RANK": "0", "MASTER_ADDR": "127.0.0.1"},
    "MPIJob": {},
    "TrainJob": {"PET_NODE_RANK": "0", "PET_NPROC_PER_NODE": "1", "JOB_COMPLETION_INDEX": "0"},
}


def experiment_of(run: dict[str, Any]) -> Experiment:
    document = using_parameters(build_document("true", maxTrialCount=1, parallelTrialCount=1))
    template = document["spec"]["trialTemplate"]
    template["trialSpec"] = run
    if run["kind"] == "TrainJob":
        template["primaryContainerName"] = "node"
    return to_experiment(Document("other", document))


@pytest.mark.parametrize("kind", KINDS)
def test_its_process_gets_what_the_operator_injects(kind: str, tmp_path: Path) -> None:
    result = run_experiment(experiment_of(KINDS[kind]), tmp_path)
    (best,) = rank(result.trials)
    assert result.trials[0]["spec"]["runSpec"]["kind"] == kind
    output = (tmp_path / "trials" / best.trial / "output.log").read_text()
    env = json.loads(output.splitlines()[0])
    assert {name: env[name] for name in INJECTED[kind]} == INJECTED[kind]
    assert env["KATIB_TRIAL_NAME"] == best.trial


def test_trials_have_ports_of_their_own() -> None:
    ports = set()
    for name in ("one", "other"):
        job = local_job({**PYTORCH, "metadata": {"name": name}})
        env = job["spec"]["template"]["spec"]["containers"][0]["env"]
        ports.add(next(each["value"] for each in env if each["name"] == "MASTER_PORT"))
    assert len(ports) == 2


def test_written_variables_and_limits_stay() -> None:
    written = replica()
    written["template"]["spec"]["containers"][0]["env"] = [{"name": "RANK", "value": "7"}]
    run = training_job("PyTorchJob", "pytorchReplicaSpecs", Master=written)
    run["spec"]["runPolicy"] = {"backoffLimit": 2, "activeDeadlineSeconds": 60}
    job = local_job(run)
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [each["value"] for each in env if each["name"] == "RANK"] == ["7"]
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (2, 60)


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        (training_job("PyTorchJob", "pytorchReplicaSpecs"), "more or less than one replica"),
        (training_job("PyTorchJob", "pytorchReplicaSpecs", Master=replica(2)), "more or less"),
        (
            training_job("TFJob", "tfReplicaSpecs", Chief=replica(), Worker=replica()),
            "more or less",
        ),
        (training_job("TFJob", "tfReplicaSpecs", PS=replica()), "no Chief or Master or Worker"),
        (training_job("MPIJob", "mpiReplicaSpecs", Launcher=replica(), Worker=replica(2)), "more"),
        (training_job("XGBoostJob", "xgbReplicaSpecs", Master={"replicas": 1}), "no template"),
        (training_job("JAXJob", "jaxReplicaSpecs", Worker=replica()), "is not run locally"),
        ({"apiVersion": "v1", "kind": "Pod"}, "v1 Pod without a spec"),
        (train_job(numNodes=2), "numNodes"),
        (train_job(command=[]), "command is missing"),
        (train_job(command=[None]), "a word or variable"),
        (train_job(env=[{"value": "1"}]), "a word or variable"),
        (training_job("XGBoostJob", "xgbReplicaSpecs", Master=replica(containers=[])), "no cont"),
        (
            training_job("TFJob", "tfReplicaSpecs", Chief=replica(containers=[None])),
            "no containers",
        ),
    ],
)
def test_what_is_more_than_one_process_needs_a_cluster(run: dict[str, Any], problem: str) -> None:
    assert problem in find_obstacle(run)


@pytest.mark.parametrize(
    ("run", "at", "code"),
    [
        (training_job("PyTorchJob", "pytorchReplicaSpec", Master=replica()), "spec", "K271"),
        (
            training_job("PyTorchJob", "pytorchReplicaSpecs", Master=replica("1")),
            "spec.pytorchReplicaSpecs.Master.replicas",
            "K271",
        ),
        (
            training_job("XGBoostJob", "xgbReplicaSpecs", Master=replica(containers="main")),
            "spec.xgbReplicaSpecs.Master.template.spec.containers",
            "K271",
        ),
        (
            training_job("TFJob", "tfReplicaSpecs", Chief=replica(nodename="a")),
            "spec.tfReplicaSpecs.Chief.template.spec.nodename",
            "K272",
        ),
        (training_job("MPIJob", "mpiReplicaSpecs", Launcher=[]), "spec.mpiReplicaSpecs", "K271"),
        (train_job(numNodes="many"), "spec.trainer.numNodes", "K271"),
        (train_job(nodes=1), "spec.trainer.nodes", "K272"),
    ],
)
def test_lint_knows_the_fields_of_kubeflows_own_models(
    run: dict[str, Any], at: str, code: str
) -> None:
    document = using_parameters(build_document("true"))
    document["spec"]["trialTemplate"]["trialSpec"] = run
    findings = [each for each in lint_document(Document("x", document)) if each.code == code]
    assert findings[0].field.startswith(f"spec.trialTemplate.trialSpec.{at}")


@pytest.mark.parametrize("kind", KINDS)
def test_lint_finds_nothing_in_the_jobs_that_run_here(kind: str) -> None:
    document = using_parameters(build_document("true"))
    document["spec"]["trialTemplate"]["trialSpec"] = KINDS[kind]
    codes = {each.code for each in lint_document(Document("x", document))}
    assert codes & {"K271", "K272"} == set()


def test_lint_looks_into_the_one_process() -> None:
    document = using_parameters(build_document("true"))
    init = replica(initContainers=[{"name": "fetch", "image": "any:1"}])
    template = document["spec"]["trialTemplate"]
    template["trialSpec"] = training_job("PyTorchJob", "pytorchReplicaSpecs", Master=init)
    template["primaryContainerName"] = "other"
    codes = {finding.code for finding in lint_document(Document("other", document))}
    assert {"K231", "K307"} <= codes
    assert "K305" not in codes
