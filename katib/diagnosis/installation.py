"""Which part of Katib itself does not run: its controller, its DB manager, the database.

Katib v0.19 serves its webhooks from its controller, and its own namespace carries the label of
namespaces whose pods the webhooks look at. So a controller that has lost its pod refuses its
replacement, and every other new pod there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from katib.diagnosis.pod_causes import Cause, Object, is_ready, pod_causes

INJECTION = "katib.kubeflow.org/metrics-collector-injection"
COMPONENT = "katib.kubeflow.org/component"  # label of the pods of Katib's own parts
CONTROLLER = f"{COMPONENT}=controller"
NAMESPACE = "kubeflow"
INSTALL = "`tunegate cluster install`"
# Deployments of Katib's manifests that store the metrics; not every installation has all.
DATABASES = {
    "katib-db-manager": "Katib's DB manager",
    "katib-mysql": "Katib's database",
    "katib-postgres": "Katib's database",
}
RESTART = (
    f"`kubectl label namespace {NAMESPACE} {INJECTION}- "
    f"&& kubectl -n {NAMESPACE} rollout restart deployment {{deployment}} "
    f"&& kubectl -n {NAMESPACE} rollout status deployment {{deployment}} "
    f"&& kubectl label namespace {NAMESPACE} {INJECTION}=enabled`"
)


def installation_causes(snapshot: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield why Katib cannot run an Experiment, whichever it is."""
    if not snapshot["installed"]:
        yield Cause("Katib is not installed", "the cluster knows no Experiments", INSTALL)
        return
    yield from _controller_causes(snapshot)
    yield from _database_causes(snapshot)


def _controller_causes(snapshot: Mapping[str, Any]) -> Iterator[Cause]:
    pods = snapshot["controller"]
    name = "Katib's controller does not run"
    if pods is None or any(map(is_ready, pods)):
        return
    if pods:
        fix = f"`kubectl -n {NAMESPACE} describe pods -l {CONTROLLER}`"
        yield Cause(name, "none of its pods is ready", fix)
        return
    deployments = snapshot["deployments"]
    if deployments is not None and "katib-controller" not in _names(deployments):
        evidence = f"namespace {NAMESPACE} has no deployment katib-controller"
        yield Cause(name, evidence, INSTALL)
        return
    evidence = (
        f"it has no pod in namespace {NAMESPACE}, and its own webhook refuses every new one there"
    )
    yield Cause(name, evidence, RESTART.format(deployment="katib-controller"))


def _database_causes(snapshot: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield what keeps trials from reporting: all of them then fail."""
    for deployment in snapshot["deployments"] or ():
        name = deployment["metadata"]["name"]
        if name not in DATABASES or deployment.get("status", {}).get("availableReplicas"):
            continue
        wanted = deployment.get("spec", {}).get("replicas", 1)
        evidence = f"deployment {name}: 0 of {wanted} pods are available"
        fix = f"`kubectl -n {NAMESPACE} describe deployment {name}`"
        pods = [pod for pod in snapshot["parts"] or () if _is_pod_of(pod, name)]
        found = [cause for pod in pods for cause in pod_causes(pod, ())]
        if found:
            evidence = f"{evidence}; {found[0].evidence}"
            fix = found[0].fix or fix
        elif not pods and wanted:
            fix = RESTART.format(deployment=name)
        yield Cause(f"{DATABASES[name]} does not run", evidence, fix)


def _is_pod_of(pod: Object, deployment: str) -> bool:
    component = deployment.removeprefix("katib-")
    return (pod["metadata"].get("labels") or {}).get(COMPONENT) == component


def _names(items: list[Object]) -> set[str]:
    return {str(item["metadata"]["name"]) for item in items}
