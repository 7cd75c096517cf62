"""The Kubeflow SDK's optimizer, in `.peers/kubeflow`, as its documentation uses it."""

from typing import Any

from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.optimizer import OptimizerClient, Search, TrialConfig
from kubeflow.trainer import CustomTrainer, TrainerClient, TrainJobTemplate
from kubernetes.client import Configuration
from ways import try_all

made: list[str] = []


def train(learning_rate: str, num_epochs: str) -> None:
    """Be shipped as text into a trial."""
    loss = 1 - float(learning_rate) * 2 - int(num_epochs) * 0.01
    print(f"loss={loss}")  # noqa: T201 - how a trial reports


def client(asked: dict[str, Any]) -> OptimizerClient:
    """Connect to the endpoint as to a cluster."""
    configuration = Configuration(host=asked["url"])
    return OptimizerClient(
        KubernetesBackendConfig(namespace="default", client_configuration=configuration)
    )


def submit(asked: dict[str, Any], nodes: int) -> str:
    """Make the job of the README's example."""
    template = TrainJobTemplate(
        runtime="torch-distributed",
        trainer=CustomTrainer(
            func=train,
            func_args={"learning_rate": "0.01", "num_epochs": "5"},
            num_nodes=nodes,
            resources_per_node={"cpu": 2},
        ),
    )
    return client(asked).optimize(
        trial_template=template,
        trial_config=TrialConfig(num_trials=2, parallel_trials=1),
        search_space={
            "learning_rate": Search.loguniform(0.001, 0.1),
            "num_epochs": Search.choice([5, 10, 15]),
        },
    )


def optimize(asked: dict[str, Any]) -> None:
    made.append(submit(asked, nodes=1))


def nodes(asked: dict[str, Any]) -> str:
    """Ask for the three nodes of the README, of which there is one."""
    try:
        return submit(asked, nodes=3)
    except RuntimeError as error:
        return str(getattr(error.__cause__, "body", error.__cause__))


def trainer(asked: dict[str, Any]) -> list[str]:
    """Look at the trials with the SDK's other client."""
    configuration = Configuration(host=asked["url"])
    backend = KubernetesBackendConfig(namespace="default", client_configuration=configuration)
    connected = TrainerClient(backend)
    first, *_ = connected.list_jobs()
    logs = connected.get_job_logs(first.name)
    return [connected.get_job(first.name).status, "\n".join(logs).partition("=")[0]]


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
        "trainer": trainer,
        "nodes": nodes,
        "delete": delete,
    }
)
