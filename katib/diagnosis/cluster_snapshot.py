"""Collect what a cluster shows of one Experiment, for `katib.diagnosis.cluster_run`."""

from collections.abc import Callable
from typing import TypeVar

import yaml

from katib.cluster.client import KubernetesClient
from katib.cluster.experiments import owned_trials
from katib.diagnosis.installation import COMPONENT, CONTROLLER
from katib.diagnosis.installation import NAMESPACE as KATIB
from katib.diagnosis.pod_causes import job_of
from katib.errors import Forbidden, Missing
from katib.objects import JsonObject

T = TypeVar("T")


class _PermittedReader:
    """Reads what the account may read, and remembers what it may not."""

    def __init__(self) -> None:
        self.hidden: list[str] = []

    def read(self, kind: str, call: Callable[[], T]) -> T | None:
        """Return a call's result; None if it finds nothing, or the account has no permission."""
        try:
            return call()
        except Forbidden:
            self.hidden.append(kind)
        except Missing:
            pass
        return None


def take_snapshot(kube: KubernetesClient, namespace: str, name: str) -> JsonObject:
    """Return everything that a cluster shows of an Experiment.

    Returns:
        `name` and `where`: the Experiment's name and its namespace's.
        `namespace`, `experiment` and `suggestion`: the objects, None if absent.
        `trials`, `jobs`, `pods`, `events`: lists of objects.
        `installed`: whether the cluster knows Experiments.
        `controller`: the pods of Katib's controller, None if unknown.
        `parts`: the pods of all of Katib's own parts, None if unknown.
        `deployments`: the Deployments of Katib's namespace, None if unknown.
        `algorithms`: the names that katib-config has, None if unknown.
        `hidden`: kinds that this account may not read.

    Raises:
        Forbidden: when the account may not read Experiments.
        ClusterUnreachable: when the API server does not answer.
    """
    reader = _PermittedReader()
    experiment, installed = _find_experiment(kube, namespace, name)

    def listed(kind: str, where: str = namespace, **selectors: str) -> list[JsonObject] | None:
        return reader.read(kind, lambda: kube.list(kind, where, **selectors)[0])

    trials = owned_trials(listed("trials") or [], experiment) if experiment else []
    names = {trial["metadata"]["name"] for trial in trials}
    return {
        "name": name,
        "where": namespace,
        "namespace": reader.read("namespaces", lambda: kube.namespace(namespace)),
        "installed": installed,
        "experiment": experiment,
        "suggestion": reader.read("suggestions", lambda: kube.get("suggestions", namespace, name)),
        "trials": trials,
        "jobs": [job for job in listed("jobs") or () if job["metadata"]["name"] in names],
        "pods": [pod for pod in listed("pods") or () if _is_pod_of(pod, name, names)],
        "events": [event for event in listed("events") or () if _is_event_of(event, name)],
        "controller": listed("pods", KATIB, labels=CONTROLLER),
        "parts": listed("pods", KATIB, labels=COMPONENT),
        "deployments": listed("deployments", KATIB),
        "algorithms": reader.read("configmaps", lambda: _installed_algorithms(kube)),
        "hidden": sorted(set(reader.hidden)),
    }


def _find_experiment(
    kube: KubernetesClient, namespace: str, name: str
) -> tuple[JsonObject | None, bool]:
    try:
        found, _ = kube.list("experiments", namespace, name=name)
    except Missing:
        return None, False
    return (found[0] if found else None), True


def _is_pod_of(pod: JsonObject, experiment: str, trials: set[str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return job_of(pod) in trials or labels.get("katib.kubeflow.org/suggestion") == experiment


def _is_event_of(event: JsonObject, experiment: str) -> bool:
    name = str(event["involvedObject"].get("name", ""))
    return name == experiment or name.startswith(f"{experiment}-")


def _installed_algorithms(kube: KubernetesClient) -> list[str]:
    text = kube.get("configmaps", KATIB, "katib-config")["data"]["katib-config.yaml"]
    suggestions = (yaml.safe_load(text).get("runtime") or {}).get("suggestions") or ()
    return [str(entry["algorithmName"]) for entry in suggestions]
