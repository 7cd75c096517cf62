"""The whole system on a cluster, deployed as a user deploys it, driven with kubectl alone.

It works on any cluster. `TUNEGATE_TEST_VOLUMES` names a folder of the node for the volume.
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.cluster.kubectl import kubectl, kubectl_json
from support.patience import patience
from support.serving.servers import await_true

ROOT = Path(__file__).parents[3]
VOLUMES = os.environ.get("TUNEGATE_TEST_VOLUMES", "/var/lib/tunegate-tests")
SERVING = "tunegate"
SEARCH = "tunegate-search"
SETUP = "tunegate-setup"
MARK = "tunegate.dev/test"  # on all that tests deploy: they remove nothing else
PATIENCE = patience(240)
Object = dict[str, Any]


def await_that(condition: Callable[[], Any], what: str, *, timeout: float = PATIENCE) -> Any:  # noqa: ANN401
    """Return the condition's first true value, with a cluster's patience."""
    return await_true(condition, what, timeout=timeout, pause=0.25)


def current_condition(item: Object) -> str:
    """Return the newest condition that holds of a Job or an Experiment."""
    found = [
        each["type"]
        for each in item.get("status", {}).get("conditions", ())
        if each["status"] == "True"
    ]
    return str(found[-1]) if found else ""


def _unchanged(_: Object) -> None:
    pass


@dataclass(slots=True)
class Job:
    """A Job that has ended: how, and what its pods said, oldest first."""

    name: str
    ended: str
    logs: tuple[str, ...]

    @property
    def log(self) -> str:
        return self.logs[-1] if self.logs else ""


@dataclass(slots=True)
class System:
    """A deployment with a volume and a ledger of its own."""

    folder: Path
    environment: str = field(default_factory=lambda: f"e2e-{uuid.uuid4().hex[:12]}")
    volume: str = ""

    def __post_init__(self) -> None:
        self.volume = self.volume or f"{VOLUMES}/{self.environment}"

    # Deploying

    def apply(self) -> None:
        """Apply overlays/ci with our own volume and ledger; wait until the volume is ready."""
        kubectl("apply", "-k", str(self._overlay()))
        kubectl(
            "wait",
            "-n",
            SETUP,
            "--for=condition=Complete",
            "job/prepare-volume",
            f"--timeout={patience(120):.0f}s",
        )

    def remove(self) -> None:
        """Delete all of it, and what was on the volume."""
        namespaces = [SERVING, SEARCH, SETUP]
        kubectl(
            "delete",
            "experiments",
            "--all",
            "-n",
            SEARCH,
            "--ignore-not-found",
            timeout=patience(300),
        )
        kubectl("delete", "namespace", *namespaces, "--ignore-not-found", timeout=patience(300))
        kubectl(
            "delete",
            "pv",
            "tunegate-search",
            "tunegate-serving",
            "--ignore-not-found",
            timeout=patience(300),
        )

    def _overlay(self) -> Path:
        def replace(path: str, value: str) -> str:
            return json.dumps([{"op": "replace", "path": path, "value": value}])

        prepare = "/spec/template/spec/volumes/0/hostPath/path"
        self.folder.mkdir(parents=True, exist_ok=True)
        document = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(ROOT / "manifests/overlays/ci", self.folder.resolve())],
            "labels": [{"pairs": {MARK: "true"}}],
            "patches": [
                {
                    "target": {"kind": "PersistentVolume"},
                    "patch": replace("/spec/hostPath/path", self.volume),
                },
                {
                    "target": {"kind": "Job", "name": "prepare-volume"},
                    "patch": replace(prepare, self.volume),
                },
                {
                    "target": {"kind": "ConfigMap", "name": "settings"},
                    "patch": json.dumps(
                        [
                            {
                                "op": "add",
                                "path": "/data/TUNEGATE_ENVIRONMENT",
                                "value": self.environment,
                            }
                        ]
                    ),
                },
            ],
        }
        (self.folder / "kustomization.yaml").write_text(yaml.safe_dump(document))
        return self.folder

    # Searching

    def create(self, document: Object) -> str:
        """Create an Experiment; returns its name."""
        kubectl("create", "-f", "-", stdin=json.dumps(document))
        return str(document["metadata"]["name"])

    def search(self, name: str, *, timeout: float = patience(600)) -> list[Object]:
        """Wait until an Experiment has ended; returns its Trials."""
        ended = await_that(lambda: self._ended(name), f"experiment {name} ends", timeout=timeout)
        assert current_condition(ended) == "Succeeded", ended["status"]
        items: list[Object] = kubectl_json(
            "trials", "-n", SEARCH, "-l", f"katib.kubeflow.org/experiment={name}"
        )["items"]
        return items

    def _ended(self, name: str) -> Object | None:
        item: Object = kubectl_json("experiment", name, "-n", SEARCH)
        return item if current_condition(item) in {"Succeeded", "Failed"} else None

    # Jobs of the promote image

    def start(
        self,
        words: list[str],
        *,
        env: dict[str, str] | None = None,
        change: Callable[[Object], object] = _unchanged,
    ) -> str:
        """Create a Job from the CronJob's template with another command; returns its name."""
        name = f"job-{uuid.uuid4().hex[:8]}"
        made = kubectl(
            "create",
            "job",
            name,
            "-n",
            SERVING,
            "--from=cronjob/promote",
            "--dry-run=client",
            "-o",
            "json",
        )
        job = json.loads(made)
        container = job["spec"]["template"]["spec"]["containers"][0]
        container["command"] = words
        container["env"] += [{"name": key, "value": value} for key, value in (env or {}).items()]
        change(job)
        kubectl("create", "-f", "-", stdin=json.dumps(job))
        return name

    def finish(self, name: str, *, timeout: float = PATIENCE) -> Job:
        """Wait until a Job has ended."""
        ended = await_that(lambda: self._job_ended(name), f"job {name} ends", timeout=timeout)
        return Job(name, ended, tuple(self.log(pod) for pod in self.pods(name)))

    def run(self, words: list[str], *, timeout: float = PATIENCE, **options: Any) -> Job:  # noqa: ANN401
        """Run a Job to its end."""
        return self.finish(self.start(words, **options), timeout=timeout)

    def promote(self, experiment: str, *words: str, **options: Any) -> Job:  # noqa: ANN401
        """Run the promote Job of an Experiment."""
        return self.run(promote_words(experiment, *words), **options)

    def pods(self, job: str) -> list[Object]:
        items: list[Object] = kubectl_json(
            "pods", "-n", SERVING, "-l", f"batch.kubernetes.io/job-name={job}"
        )["items"]
        return sorted(
            items, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"])
        )

    def log(self, pod: Object) -> str:
        return kubectl("logs", "-n", SERVING, pod["metadata"]["name"])

    def _job_ended(self, name: str) -> str:
        found = current_condition(kubectl_json("job", name, "-n", SERVING))
        return found if found in {"Complete", "Failed"} else ""

    # Looking

    def history(self) -> list[Object]:
        """Return the ledger, as `tunegate history --json` gives it."""
        job = self.run(["tunegate", "history", "--json"])
        assert job.ended == "Complete", job.logs
        entries: list[Object] = json.loads(job.log)
        return entries

    def read(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return a JSON file of the volume."""
        return json.loads(
            kubectl("exec", "-n", SERVING, "deploy/api", "--", "cat", f"/models/{path}")
        )

    def served(self) -> list[str]:
        """Return the version that each ready replica serves."""
        pods = kubectl_json("pods", "-n", SERVING, "-l", "app=api")["items"]
        running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return [self._version(pod["metadata"]["name"]) for pod in running]

    def _version(self, pod: str) -> str:
        code = (
            "import json, urllib.request as r; "
            "print(json.load(r.urlopen('http://127.0.0.1:8000/version'))['model_version'])"
        )
        return kubectl("exec", "-n", SERVING, pod, "--", "python", "-c", code).strip()

    def rollout(self) -> None:
        kubectl(
            "rollout", "status", "-n", SERVING, "deployment/api", f"--timeout={patience(120):.0f}s"
        )


def promote_words(experiment: str, *words: str) -> list[str]:
    return [
        "tunegate",
        "promote",
        "--on=katib",
        f"--experiment={experiment}",
        "--wait=600",
        "--no-exit-code",
        *words,
    ]


@contextmanager
def system(folder: Path) -> Iterator[System]:
    """Deploy; remove all of it afterwards."""
    for item in kubectl_json("namespaces")["items"]:
        mine = item["metadata"]["name"] not in {SERVING, SEARCH, SETUP} or MARK in item[
            "metadata"
        ].get("labels", {})
        assert mine, (
            f"namespace {item['metadata']['name']} is somebody's: tests would replace what is there"
        )
    deployed = System(folder)
    deployed.remove()  # what an interrupted run left
    deployed.apply()
    try:
        yield deployed
    finally:
        deployed.remove()
        shutil.rmtree(deployed.volume, ignore_errors=True)  # where the node is this machine
