"""The Kubeflow SDK's optimizer, in `.peers/kubeflow`, as its documentation uses it."""

from typing import Any

from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.optimizer import Objective, OptimizerClient, Search, TrialConfig
from kubeflow.trainer import CustomTrainer, TrainJobTemplate
from kubernetes.client import Configuration
from ways import try_all

made: list[str] = []


def train(lr: str, size: str) -> None:
    """Be shipped as text into a trial."""
    print(f"loss={float(lr) * 2 + len(size)}")  # noqa: T201 - how a trial reports


def client(asked: dict[str, Any]) -> OptimizerClient:
    """Connect to the endpoint as to a cluster."""
    configuration = Configuration(host=asked["url"])
    return OptimizerClient(
        KubernetesBackendConfig(namespace="default", client_configuration=configuration)
    )


def optimize(asked: dict[str, Any]) -> None:
    name = client(asked).optimize(
        TrainJobTemplate(trainer=CustomTrainer(func=train)),
        trial_config=TrialConfig(num_trials=2, parallel_trials=1, max_failed_trials=1),
        search_space={"lr": Search.loguniform(0.001, 0.1), "size": Search.choice(["s", "xl"])},
        objectives=[Objective(metric="loss")],
    )
    made.append(name)


def wait(asked: dict[str, Any]) -> dict[str, Any]:
    job = client(asked).wait_for_job_status(made[0], timeout=asked["seconds"])
    return {
        "status": job.status,
        "trials": {
            trial.name: [trial.trainjob.status, trial.metrics[0].latest] for trial in job.trials
        },
    }


def best(asked: dict[str, Any]) -> str:
    return str(client(asked).get_best_results(made[0]).metrics[0].latest)


def logs(asked: dict[str, Any]) -> list[str]:
    return list(client(asked).get_job_logs(made[0]))


def events(asked: dict[str, Any]) -> int:
    return len(client(asked).get_job_events(made[0]))


def delete(asked: dict[str, Any]) -> str:
    """Delete the job, and look for it; `list_jobs` fails where other trials than TrainJobs are."""
    connected = client(asked)
    connected.delete_job(made[0])
    try:
        connected.get_job(made[0])
    except RuntimeError:
        return "gone"
    return "still there"


try_all(
    {
        "optimize": optimize,
        "wait": wait,
        "best": best,
        "logs": logs,
        "events": events,
        "delete": delete,
    }
)
