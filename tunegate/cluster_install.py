"""Put Katib and the Model Registry on a cluster that has none, in the versions that are tested, and wait for them.

kubectl does it, as their own documentation has it: it knows kustomize and how to fetch their manifests.
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
POLL = 2.0
KATIB_VERSION = "v0.19.0"
REGISTRY_VERSION = "v0.2.19"


@dataclass(frozen=True, slots=True)
class Part:
    """Something to install: where its manifests are, and what runs when it is there."""

    name: str
    manifests: str
    deployments: tuple[str, ...]


PARTS = (
    Part(
        f"Katib {KATIB_VERSION}",
        f"github.com/kubeflow/katib.git/manifests/v1beta1/installs/katib-standalone?ref={KATIB_VERSION}",
        ("katib-controller", "katib-db-manager"),
    ),
    Part(
        f"Model Registry {REGISTRY_VERSION}",
        f"github.com/kubeflow/model-registry.git/manifests/kustomize/overlays/db?ref={REGISTRY_VERSION}",
        ("model-registry-deployment",),
    ),
)


def install(experiment: Path, *, context: str = "", timeout: float = 900.0) -> None:
    """Install what is missing, then wait until Katib's webhooks take an Experiment.

    Args:
        experiment: a valid Experiment to ask the webhooks with; nothing is created.
        context: the kubeconfig's; the current one where empty.
        timeout: seconds for all of it.

    Raises:
        UsageError: when kubectl is missing, says no, or the time is over.
    """
    if not shutil.which("kubectl"):
        raise UsageError(
            "kubectl is not on the PATH", hint="https://kubernetes.io/docs/tasks/tools"
        )
    kubectl = _Kubectl(("--context", context) if context else (), time.monotonic() + timeout)
    for part in PARTS:
        if kubectl.has(part.deployments[0]):
            say(f"{part.name}: there is one already, of whatever version")
        else:
            say(f"{part.name}: applying {part.manifests}")
            kubectl.run(
                "create", "namespace", NAMESPACE, check=False
            )  # it may be there, or come with the manifests
            kubectl.run("apply", "-n", NAMESPACE, "-k", part.manifests)
    for part in PARTS:
        kubectl.await_available(part)
    kubectl.await_webhooks(experiment)


@dataclass(frozen=True, slots=True)
class _Kubectl:
    words: Sequence[str]
    deadline: float

    def run(
        self, *words: str, stdin: str = "", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        command = ["kubectl", *self.words, *words]
        try:
            done = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=self._left(),
            )
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"`{' '.join(command)}` has not ended in time", hint=GO_ON) from error
        if check and done.returncode != 0:
            raise UsageError(f"`{' '.join(command)}`: {done.stderr.strip()}", hint=GO_ON)
        return done

    def has(self, deployment: str) -> bool:
        found = self.run(
            "get", "deployment", "-n", NAMESPACE, deployment, "--ignore-not-found", "-o", "name"
        )
        return bool(found.stdout.strip())

    def await_available(self, part: Part) -> None:
        say(f"{part.name}: waiting until it runs")
        wait = (
            "wait",
            "-n",
            NAMESPACE,
            "--for=condition=Available",
            f"--timeout={self._left():.0f}s",
        )
        # A variant without a database manager of its own has fewer deployments.
        self.run(*wait, *(f"deployment/{name}" for name in part.deployments if self.has(name)))

    def await_webhooks(self, experiment: Path) -> None:
        """Ask until they answer: their certificates come some time after the controller is up (katib#2451)."""
        document = yaml.safe_load(experiment.read_text(encoding="utf-8"))
        document["metadata"] = {"generateName": "webhooks-", "namespace": NAMESPACE}
        say("Katib: waiting for its webhooks")
        while True:
            asked = self.run(
                "create", "--dry-run=server", "-f", "-", stdin=json.dumps(document), check=False
            )
            if asked.returncode == 0:
                say(
                    "Katib takes Experiments, in any namespace labelled katib.kubeflow.org/metrics-collector-injection"
                )
                return
            if time.monotonic() + POLL >= self.deadline:
                raise UsageError(
                    f"Katib's webhooks do not take an Experiment: {asked.stderr.strip()}",
                    hint=GO_ON,
                )
            time.sleep(POLL)  # between two looks at the condition

    def _left(self) -> float:
        return max(1.0, self.deadline - time.monotonic())


GO_ON = "look at `kubectl get pods -n kubeflow`; the same command goes on where this one ended"
