"""Trials of other kinds than Job whose work is one process: what their operators would start.

PyTorchJob, TFJob, XGBoostJob and MPIJob of the Training Operator (kubeflow.org/v1), and TrainJob of
Kubeflow Trainer (trainer.kubeflow.org/v1alpha1). Each becomes a Job with the environment that its
operator injects. With more than one process they need a cluster.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from katib.objects import JsonObject, KatibObject

TRAINING = "kubeflow.org/v1"
TRAINER = "trainer.kubeflow.org/v1alpha1"
NODE = "node"  # the container of a TrainJob
FIRST_PORT = 10_000  # below those that the system gives to clients
PORTS = 20_000
MOST_WORKERS = 1  # of an MPIJob: what its launcher starts runs on this machine


class ReplicaField(NamedTuple):
    """Where a kind has its replicas, and which of them can be the only one."""

    name: str
    roles: tuple[str, ...]


REPLICAS = {
    "PyTorchJob": ReplicaField("pytorchReplicaSpecs", ("Master", "Worker")),
    "TFJob": ReplicaField("tfReplicaSpecs", ("Chief", "Master", "Worker")),
    "XGBoostJob": ReplicaField("xgbReplicaSpecs", ("Master",)),
    "MPIJob": ReplicaField("mpiReplicaSpecs", ("Launcher",)),
}


def find_obstacle(run: KatibObject) -> str:
    """Return why a trial of another kind than Job is not one process; empty if it is."""
    kind = f"{run.get('apiVersion')} {run.get('kind')}"
    spec = run.get("spec")
    if not isinstance(spec, Mapping):
        return f"{kind} without a spec"
    if kind == f"{TRAINER} TrainJob":
        return _trainer_obstacle(spec)
    field = REPLICAS.get(str(run.get("kind")))
    if field is None or run.get("apiVersion") != TRAINING:
        return f"{kind} is not run locally"
    return _replica_obstacle(str(run["kind"]), spec, field)


def local_job(run: KatibObject) -> JsonObject:
    """Return the Job that does what a trial's operator would start; a Job itself is returned.

    Args:
        run: a trial's object, in which `find_obstacle` finds none.
    """
    if run["kind"] == "Job":
        return dict(run)
    spec = run["spec"]
    if run["kind"] == "TrainJob":
        template = _trainer_template(run)
        policy: KatibObject = {}
    else:
        field = REPLICAS[run["kind"]]
        replicas = _used_replicas(spec, field)
        role = next(role for role in field.roles if role in replicas)
        template = dict(replicas[role]["template"])
        policy = spec.get("runPolicy") or spec
    added = ENVIRONMENTS[run["kind"]](run)
    job_spec: JsonObject = {"backoffLimit": policy.get("backoffLimit", 0)}
    if policy.get("activeDeadlineSeconds"):
        job_spec["activeDeadlineSeconds"] = policy["activeDeadlineSeconds"]
    job_spec["template"] = _with_environment(template, added)
    metadata = dict(run.get("metadata", {}))
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job_spec}


def _replica_obstacle(kind: str, spec: KatibObject, field: ReplicaField) -> str:
    replicas = _used_replicas(spec, field)
    if kind == "MPIJob" and _count(replicas.get("Worker", {})) <= MOST_WORKERS:
        replicas.pop("Worker", None)
    if [_count(replica) for replica in replicas.values()] != [1]:
        return f"{field.name} has more or less than one replica, and one is run locally"
    (role, replica), *_ = replicas.items()
    if role not in field.roles:
        return f"{field.name} has no {' or '.join(field.roles)}"
    template = replica.get("template")
    if not isinstance(template, Mapping) or not isinstance(template.get("spec"), Mapping):
        return f"{field.name}.{role} has no template"
    containers = template["spec"].get("containers")
    if (
        not containers
        or not isinstance(containers, list)
        or not all(map(_is_container, containers))
    ):
        return f"{field.name}.{role} has no containers, or a word or variable of one is none"
    return ""


def _is_container(container: object) -> bool:
    """Whether its words are text, and its variables have names: what an operator relies on."""
    if not isinstance(container, Mapping):
        return False
    words = [container.get("image", "")]
    for name in ("command", "args"):
        words += container.get(name) or []
    variables = container.get("env") or []
    named = all(isinstance(each, Mapping) and each.get("name") for each in variables)
    return named and all(isinstance(word, str) for word in words)


def _trainer_obstacle(spec: KatibObject) -> str:
    trainer = spec.get("trainer") or {}
    if int(trainer.get("numNodes") or 1) != 1:
        return "trainer.numNodes is more than one, and one node is run locally"
    if not trainer.get("command"):
        return "trainer.command is missing, and runtimes are not read locally"
    if not _is_container(trainer):
        return "a word or variable of the trainer is none"
    return ""


def _trainer_template(run: KatibObject) -> JsonObject:
    """Return the pod of a TrainJob's node; its runtime's name stands for an image left out."""
    spec = run["spec"]
    trainer = spec["trainer"]
    container = {
        "name": NODE,
        "image": trainer.get("image") or spec.get("runtimeRef", {}).get("name", NODE),
        "command": trainer["command"],
        "args": trainer.get("args") or [],
        "env": trainer.get("env") or [],
        "resources": trainer.get("resourcesPerNode") or {},
    }
    return {"spec": {"restartPolicy": "Never", "containers": [container]}}


def _used_replicas(spec: KatibObject, field: ReplicaField) -> dict[str, KatibObject]:
    found = spec.get(field.name)
    if not isinstance(found, Mapping):
        return {}
    return {
        role: each for role, each in found.items() if isinstance(each, Mapping) and _count(each)
    }


def _count(replica: KatibObject) -> int:
    count = replica.get("replicas", 1) if replica else 0
    return count if isinstance(count, int) else 0


def _with_environment(template: JsonObject, added: Mapping[str, str]) -> JsonObject:
    """Return the template with variables in all containers; those that are written stay."""
    pod = dict(template["spec"])
    variables = [{"name": name, "value": value} for name, value in added.items()]
    containers = []
    for container in pod["containers"]:
        written = container.get("env") or []
        names = {each["name"] for each in written}
        env = [each for each in variables if each["name"] not in names]
        containers.append({**container, "env": [*env, *written]})
    return {**template, "spec": {**pod, "containers": containers}}


def _torch_environment(run: KatibObject) -> dict[str, str]:
    """Return what the operator tells the only process of a PyTorchJob."""
    port = _own_port(run)
    return {
        "PYTHONUNBUFFERED": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "PET_MASTER_ADDR": "127.0.0.1",
        "PET_MASTER_PORT": port,
        "WORLD_SIZE": "1",
        "RANK": "0",
        "PET_NODE_RANK": "0",
        "PET_NNODES": "1",
        "PET_NPROC_PER_NODE": str(run["spec"].get("nprocPerNode") or "1"),
    }


def _xgboost_environment(run: KatibObject) -> dict[str, str]:
    return {
        "PYTHONUNBUFFERED": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": _own_port(run),
        "WORLD_SIZE": "1",
        "RANK": "0",
    }


def _trainer_environment(run: KatibObject) -> dict[str, str]:
    processes = run["spec"]["trainer"].get("numProcPerNode")
    return {
        "JOB_COMPLETION_INDEX": "0",
        "PET_NNODES": "1",
        "PET_NPROC_PER_NODE": str(processes or "1"),
        "PET_NODE_RANK": "0",
        "PET_MASTER_ADDR": "127.0.0.1",
        "PET_MASTER_PORT": _own_port(run),
    }


def _no_environment(_: KatibObject) -> dict[str, str]:
    """Return nothing: a TFJob of one replica gets no TF_CONFIG, a launcher only its host file."""
    return {}


def _own_port(run: KatibObject) -> str:
    """Return a port of the trial's own: on one machine, trials have no network of their own."""
    name = str(run.get("metadata", {}).get("name", ""))
    number = int.from_bytes(hashlib.sha256(name.encode()).digest())
    return str(FIRST_PORT + number % PORTS)


ENVIRONMENTS: Mapping[str, Callable[[KatibObject], dict[str, str]]] = {
    "PyTorchJob": _torch_environment,
    "TFJob": _no_environment,
    "XGBoostJob": _xgboost_environment,
    "MPIJob": _no_environment,
    "TrainJob": _trainer_environment,
}
