"""Install Katib and the Model Registry on a cluster, in tested versions, and wait for them.

kubectl does it, as their own documentation has it: it knows kustomize and how to fetch their
manifests.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from katib.diagnosis.pod_causes import pod_causes
from katib.objects import JsonObject
from katib.suggestion.register import read_entries, register_in, restore_in
from tunegate.console import say
from tunegate.errors import UsageError

NAMESPACE = "kubeflow"
POLL = 2.0  # seconds
KATIB_VERSION = "v0.19.0"
REGISTRY_VERSION = "v0.2.19"
GITHUB = "github.com/kubeflow"
SERVED = "tpe"  # the algorithm of the shipped Experiment, which a bare Katib has too
CONFIG = ("configmap", "katib-config", "-n", NAMESPACE)
RETRY_HINT = "look at `kubectl get pods -n kubeflow`, then run the same command again to continue"


@dataclass(frozen=True, slots=True)
class Component:
    """Something to install: where its manifests are, and the deployments that it consists of.

    The first deployment is in every installation, the others where they are wanted.
    """

    name: str
    manifests: str
    deployments: tuple[str, ...]


COMPONENTS = (
    Component(
        f"Katib {KATIB_VERSION}",
        f"{GITHUB}/katib.git/manifests/v1beta1/installs/katib-standalone?ref={KATIB_VERSION}",
        ("katib-controller", "katib-db-manager", "katib-mysql", "katib-postgres"),
    ),
    Component(
        f"Model Registry {REGISTRY_VERSION}",
        f"{GITHUB}/model-registry.git/manifests/kustomize/overlays/db?ref={REGISTRY_VERSION}",
        ("model-registry-deployment", "model-registry-db"),
    ),
)


def install_missing(experiment: Path, *, context: str = "", timeout: float = 900.0) -> None:
    """Install what is missing, then wait until Katib's webhooks accept an Experiment.

    Args:
        experiment: a valid Experiment to ask the webhooks with; nothing is created.
        context: the kubeconfig's; empty for the current one.
        timeout: seconds for all of it.

    Raises:
        UsageError: when kubectl is missing, fails, or the time is over.
    """
    if not shutil.which("kubectl"):
        raise UsageError(
            "kubectl is not on the PATH", hint="https://kubernetes.io/docs/tasks/tools"
        )
    flags = ("--context", context) if context else ()
    kubectl = _Kubectl(flags, time.monotonic() + timeout)
    for component in COMPONENTS:
        if kubectl.has_deployment(component.deployments[0]):
            say(f"{component.name}: there is one already, of whatever version")
        else:
            say(f"{component.name}: applying {component.manifests}")
            # Unchecked: the namespace may exist, or come with the manifests.
            kubectl.run("create", "namespace", NAMESPACE, check=False)
            kubectl.run("apply", "-n", NAMESPACE, "-k", component.manifests)
    for component in COMPONENTS:
        kubectl.await_available(component)
    kubectl.await_webhooks(experiment)


def register_services(entries: Path, *, context: str = "", timeout: float = 60.0) -> None:
    """Let Katib run our services, ours in place of its own `tpe`, for Experiments from now on.

    Args:
        entries: the file of what `katib-config` gets.
        context: the kubeconfig's; empty for the current one.
        timeout: seconds for all of it.

    Raises:
        UsageError: when kubectl fails, or there is no such configuration.
    """
    kubectl = _Kubectl(("--context", context) if context else (), time.monotonic() + timeout)
    ours = read_entries(entries)
    kubectl.change_config(lambda config: register_in(config, ours, (SERVED,)))
    say(
        f"Katib: {SERVED} is served by {ours['suggestions'][0]['image']} in all namespaces, for "
        "Experiments from now on; `tunegate cluster install --no-suggestion` gives Katib's own back"
    )


def restore_services(entries: Path, *, context: str = "", timeout: float = 60.0) -> None:
    """Give Katib back the services that ours have replaced; raises as `register_services`."""
    kubectl = _Kubectl(("--context", context) if context else (), time.monotonic() + timeout)
    ours = read_entries(entries)
    kubectl.change_config(lambda config: restore_in(config, ours))
    say("Katib: its own services again, for Experiments from now on")


@dataclass(frozen=True, slots=True)
class _Kubectl:
    """Runs kubectl until a deadline, in monotonic seconds."""

    flags: Sequence[str]
    deadline: float

    def run(
        self, *words: str, stdin: str = "", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        command = ["kubectl", *self.flags, *words]
        shown = f"`{' '.join(command)}`"
        try:
            done = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=self._seconds_left(),
            )
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"{shown} has not ended in time", hint=RETRY_HINT) from error
        if check and done.returncode != 0:
            raise UsageError(f"{shown}: {done.stderr.strip()}", hint=RETRY_HINT)
        return done

    def has_deployment(self, name: str) -> bool:
        found = self.run(
            "get", "deployment", "-n", NAMESPACE, name, "--ignore-not-found", "-o", "name"
        )
        return bool(found.stdout.strip())

    def await_available(self, component: Component) -> None:
        say(f"{component.name}: waiting until it runs")
        # Only a Katib with a database in the cluster has one to wait for.
        names = [name for name in component.deployments if self.has_deployment(name)]
        for name in names:
            self._await_deployment(component, name)

    def _await_deployment(self, component: Component, name: str) -> None:
        timeout = f"--timeout={self._seconds_left():.0f}s"
        words = ("wait", "-n", NAMESPACE, "--for=condition=Available", timeout)
        waited = self.run(*words, f"deployment/{name}", check=False)
        if waited.returncode != 0:
            raise UsageError(
                f"{component.name}: {name} does not run: {self._pods_of(name)}",
                hint=f"`kubectl -n {NAMESPACE} describe deployment {name}`; if it has no pod, "
                f"`tunegate doctor --experiment NAME` says how to restart it. Then {RETRY_HINT}",
            )

    def _pods_of(self, deployment: str) -> str:
        """Return in words what became of a deployment's pods."""
        found = self.run("get", "pods", "-n", NAMESPACE, "-o", "json", check=False)
        if found.returncode != 0:
            return found.stderr.strip()
        pods = json.loads(found.stdout)["items"]
        mine = [pod for pod in pods if pod["metadata"]["name"].startswith(f"{deployment}-")]
        causes = [cause.evidence for pod in mine for cause in pod_causes(pod, ())]
        if not mine:
            return "it has no pod"
        return "; ".join(causes) or "its pods are not ready"

    def change_config(self, change: Callable[[JsonObject], JsonObject]) -> None:
        """Change Katib's configuration; refused where somebody else has changed it meanwhile."""
        config = json.loads(self.run("get", *CONFIG, "-o", "json").stdout)
        try:
            changed = change(config)
        except (ValueError, KeyError) as error:
            raise UsageError(f"katib-config of namespace {NAMESPACE}: {error}") from error
        self.run("replace", "-f", "-", stdin=json.dumps(changed))

    def await_webhooks(self, experiment: Path) -> None:
        """Ask until they answer: their certificates come after the controller (katib#2451)."""
        document = yaml.safe_load(experiment.read_text(encoding="utf-8"))
        document["metadata"] = {"generateName": "webhooks-", "namespace": NAMESPACE}
        say("Katib: waiting for its webhooks")
        create = ("create", "--dry-run=server", "-f", "-")
        while True:
            asked = self.run(*create, stdin=json.dumps(document), check=False)
            if asked.returncode == 0:
                say(
                    "Katib takes Experiments, in any namespace labelled "
                    "katib.kubeflow.org/metrics-collector-injection"
                )
                return
            if time.monotonic() + POLL >= self.deadline:
                raise UsageError(
                    f"Katib's webhooks do not take an Experiment: {asked.stderr.strip()}",
                    hint=RETRY_HINT,
                )
            time.sleep(POLL)

    def _seconds_left(self) -> float:
        return max(1.0, self.deadline - time.monotonic())
