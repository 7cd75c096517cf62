"""Install Katib and the Model Registry on a cluster, in tested versions, and wait for them.

kubectl does it, as their own documentation has it: it knows kustomize and how to fetch their
manifests.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tunegate.console import say
from tunegate.errors import UsageError

NAMESPACE = "kubeflow"
POLL = 2.0  # seconds
KATIB_VERSION = "v0.19.0"
REGISTRY_VERSION = "v0.2.19"
GITHUB = "github.com/kubeflow"
RETRY_HINT = "look at `kubectl get pods -n kubeflow`, then run the same command again to continue"


@dataclass(frozen=True, slots=True)
class Component:
    """Something to install: where its manifests are, and the deployments that it consists of."""

    name: str
    manifests: str
    deployments: tuple[str, ...]


COMPONENTS = (
    Component(
        f"Katib {KATIB_VERSION}",
        f"{GITHUB}/katib.git/manifests/v1beta1/installs/katib-standalone?ref={KATIB_VERSION}",
        ("katib-controller", "katib-db-manager"),
    ),
    Component(
        f"Model Registry {REGISTRY_VERSION}",
        f"{GITHUB}/model-registry.git/manifests/kustomize/overlays/db?ref={REGISTRY_VERSION}",
        ("model-registry-deployment",),
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
        timeout = f"--timeout={self._seconds_left():.0f}s"
        # A Katib without a database manager of its own has fewer deployments.
        names = [f"deployment/{d}" for d in component.deployments if self.has_deployment(d)]
        self.run("wait", "-n", NAMESPACE, "--for=condition=Available", timeout, *names)

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
