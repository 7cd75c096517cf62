"""Collect what a cluster shows of one Experiment, for `katib.diagnosis.cluster_run`."""

from collections.abc import Callable
from typing import Any, TypeVar

import yaml

from katib.cluster.client import KubernetesClient
from katib.cluster.experiments import owned_trials
from katib.diagnosis.cluster_run import CONTROLLER
from katib.diagnosis.pod_causes import job_of
from katib.errors import Forbidden, Missing

KATIB = "kubeflow"  # the namespace of Katib itself
T = TypeVar("T")


class _Reader:
    """Reads what it may, and remembers what it may not."""

    def __init__(self) -> None:
        self.hidden: list[str] = []

    def read(self, kind: str, call: Callable[[], T]) -> T | None:
        """Return what a call gives; None where it finds nothing, or is not allowed to look."""
        try:
            return call()
        except Forbidden:
            self.hidden.append(kind)
        except Missing:
            pass
        return None


def snapshot(kube: KubernetesClient, namespace: str, name: str) -> dict[str, Any]:
    """Return what is there of an Experiment.

    Returns:
        `name`, `where` (the namespace's name), `namespace`, `experiment` and `suggestion` (None where absent),
        `trials`, `jobs`, `pods`, `events`; `installed`, whether the cluster knows Experiments; `controller`, its pods,
        and `algorithms`, names, both None where unknown; and `hidden`: what this account may not read.

    Raises:
        Forbidden: when the account may not read Experiments.
        ClusterUnreachable: when the API server does not answer.
    """
    reader = _Reader()
    experiment, installed = _experiment(kube, namespace, name)

    def listed(kind: str, where: str = namespace, **selectors: str) -> list[dict[str, Any]] | None:
        return reader.read(kind, lambda: kube.list(kind, where, **selectors)[0])

    if experiment:
        trials = owned_trials(listed("trials") or [], experiment)
    else:
        trials = []
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
        "pods": [pod for pod in listed("pods") or () if _belongs(pod, name, names)],
        "events": [e for e in listed("events") or () if _about(e, name)],
        "controller": listed("pods", KATIB, labels=CONTROLLER),
        "algorithms": reader.read("configmaps", lambda: _algorithms(kube)),
        "hidden": sorted(set(reader.hidden)),
    }


def _experiment(
    kube: KubernetesClient, namespace: str, name: str
) -> tuple[dict[str, Any] | None, bool]:
    try:
        found, _ = kube.list("experiments", namespace, name=name)
    except Missing:
        return None, False
    return (found[0] if found else None), True


def _belongs(pod: dict[str, Any], experiment: str, trials: set[str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return job_of(pod) in trials or labels.get("katib.kubeflow.org/suggestion") == experiment


def _about(event: dict[str, Any], experiment: str) -> bool:
    name = str(event["involvedObject"].get("name", ""))
    return name == experiment or name.startswith(f"{experiment}-")


def _algorithms(kube: KubernetesClient) -> list[str]:
    text = kube.get("configmaps", KATIB, "katib-config")["data"]["katib-config.yaml"]
    suggestions = (yaml.safe_load(text).get("runtime") or {}).get("suggestions") or ()
    return [str(entry["algorithmName"]) for entry in suggestions]
