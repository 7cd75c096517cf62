"""Katib's own client, in `.peers/katib`: what its pages and notebooks do, unchanged."""

import copy
import time
from typing import Any

from kubeflow import katib
from kubernetes.client import Configuration, V1ObjectMeta
from ways import try_all

NAME = "tuned"
ENDLESS = "endless"
USERS = "kubeflow-user-example-com"  # the namespace of the notebooks


def objective(parameters: dict[str, str]) -> None:
    """Be shipped as text into a trial; smallest at a = 4."""
    loss = (float(parameters["a"]) - 4) ** 2 + float(parameters["b"])
    print(f"loss={loss}")  # noqa: T201 - how a trial reports


def train(parameters: dict[str, str]) -> None:
    """Be shipped into a trial, as the notebook tune-train-from-func does it."""
    import logging

    form = "%(asctime)s %(levelname)-8s %(message)s"
    logging.basicConfig(format=form, datefmt="%Y-%m-%dT%H:%M:%SZ", level=logging.INFO)
    log = logging.getLogger()
    log.info("Input Parameters: %s", parameters)
    rate = float(parameters["lr"]) / int(parameters["num_workers"])
    for epoch in range(int(parameters["num_epoch"])):
        log.info("Epoch %d. accuracy=%.4f - loss=%.4f", epoch, 1 - rate, rate)


def client(asked: dict[str, Any]) -> katib.KatibClient:
    """Connect to the endpoint as to a cluster."""
    return katib.KatibClient(client_configuration=Configuration(host=asked["url"]))


def tune(asked: dict[str, Any]) -> None:
    client(asked).tune(
        name=NAME,
        objective=objective,
        parameters={
            "a": katib.search.int(min=1, max=9),
            "b": katib.search.double(min=0.1, max=0.2),
        },
        objective_metric_name="loss",
        objective_type="minimize",
        algorithm_name="random",
        algorithm_settings={"random_state": 3},
        max_trial_count=3,
        parallel_trial_count=1,
        max_failed_trial_count=1,
    )


def wait(asked: dict[str, Any]) -> list[str]:
    found = client(asked).wait_for_experiment_condition(
        NAME, timeout=asked["seconds"], polling_interval=1
    )
    return [each.type for each in found.status.conditions if each.status == "True"]


def trials(asked: dict[str, Any]) -> list[str]:
    found = client(asked).list_trials(experiment_name=NAME)
    return sorted(each.metadata.name for each in found)


def details(asked: dict[str, Any]) -> list[dict[str, Any]]:
    found = client(asked).get_success_trial_details(NAME)
    return [{"name": each["name"], "loss": each["metrics"][0].latest} for each in found]


def optimum(asked: dict[str, Any]) -> dict[str, Any]:
    found = client(asked).get_optimal_hyperparameters(NAME)
    values = {each.name: each.value for each in found.parameter_assignments}
    return {"trial": found.best_trial_name, "values": values}


def logs(asked: dict[str, Any]) -> list[str]:
    connected = client(asked)
    first = trials(asked)[0]
    whole = list(connected.get_job_logs(NAME, first))
    followed = list(connected.get_job_logs(NAME, first, follow=True))
    assert whole == followed
    return whole


def metrics(asked: dict[str, Any]) -> dict[str, list[list[str]]]:
    """Read what two trials have reported: by printing it, and by pushing it."""
    connected = client(asked)
    pushing = asked["pushing"]["metadata"]["name"]
    connected.create_experiment(asked["pushing"])
    connected.wait_for_experiment_condition(pushing, timeout=asked["seconds"], polling_interval=1)
    pushed, *_ = connected.list_trials(experiment_name=pushing)
    found = {}
    for kind, name in (("printed", trials(asked)[0]), ("pushed", pushed.metadata.name)):
        logs = connected.get_trial_metrics(name, db_manager_address=asked["database"])
        found[kind] = [[each.metric.name, each.metric.value] for each in logs]
    best = connected.get_optimal_hyperparameters(pushing).observation.metrics
    return {**found, "observed": [[each.name, each.latest] for each in best]}


def suggestion(asked: dict[str, Any]) -> int:
    return int(client(asked).get_suggestion(NAME).status.suggestion_count)


def kept(asked: dict[str, Any]) -> list[str]:
    """Read what the command line has run."""
    found = client(asked).get_optimal_hyperparameters(asked["kept"])
    return [found.best_trial_name]


def ours(asked: dict[str, Any]) -> dict[str, Any]:
    """Wait for what `tune --on katib` has created, and rank it."""
    connected = client(asked)
    connected.wait_for_experiment_condition("ours", timeout=asked["seconds"], polling_interval=1)
    details = connected.get_success_trial_details("ours")
    best = connected.get_optimal_hyperparameters("ours").observation.metrics[0].latest
    return {"values": [each["metrics"][0].latest for each in details], "best": best}


def budget(asked: dict[str, Any]) -> int:
    """Let an Experiment that was created from a dictionary have one trial more."""
    connected = client(asked)
    connected.create_experiment(asked["document"])
    name = asked["document"]["metadata"]["name"]
    waited = {"timeout": asked["seconds"], "polling_interval": 1}
    connected.wait_for_experiment_condition(name, **waited)
    connected.edit_experiment_budget(name, max_trial_count=2)
    found = connected.wait_for_experiment_condition(name, **waited)
    return int(found.status.trials_succeeded)


def endless(asked: dict[str, Any]) -> dict[str, Any]:
    """Tune without a count, as far as a budget that is stated later."""
    connected = client(asked)
    connected.tune(
        name=ENDLESS,
        objective=train,
        parameters={
            "lr": katib.search.double(min=0.1, max=0.2),
            "num_epoch": katib.search.int(min=2, max=3),
            "is_dist": False,
            "num_workers": 1,
        },
        algorithm_name="cmaes",
        objective_metric_name="accuracy",
        additional_metric_names=["loss"],
        parallel_trial_count=2,
        resources_per_trial={"cpu": "1"},
    )
    deadline = time.monotonic() + asked["seconds"]
    while not connected.get_experiment(ENDLESS).status.trials_succeeded:
        if time.monotonic() > deadline:
            raise TimeoutError(ENDLESS)
    unbounded = connected.get_experiment(ENDLESS).spec.max_trial_count
    limit = _limit_to_come(connected, deadline)
    waited = {"timeout": asked["seconds"], "polling_interval": 1}
    found = connected.wait_for_experiment_condition(ENDLESS, **waited)
    best = connected.get_optimal_hyperparameters(ENDLESS).observation.metrics
    connected.delete_experiment(ENDLESS)
    over = found.status.trials_succeeded - limit
    return {"unbounded": unbounded, "over": over, "metrics": [each.name for each in best]}


def _limit_to_come(connected: katib.KatibClient, deadline: float) -> int:
    """Set a budget of a few trials more than there are; more may begin before it is set."""
    while True:
        limit = len(connected.list_trials(ENDLESS)) + 3
        try:
            connected.edit_experiment_budget(ENDLESS, max_trial_count=limit)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
        else:
            return limit


def notebook(asked: dict[str, Any]) -> dict[str, Any]:
    """Make the Experiments of the notebook cmaes-and-resume-policies, of a program that is here."""
    container = {
        "name": "training-container",
        "image": "docker.io/kubeflowkatib/pytorch-mnist-cpu:v0.14.0",
        "command": ["echo", "loss=${trialParameters.learningRate}"],
    }
    labels = {"sidecar.istio.io/inject": "false"}
    pod = {"containers": [container], "restartPolicy": "Never"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template}}
    experiment = katib.V1beta1Experiment(
        api_version="kubeflow.org/v1beta1",
        kind="Experiment",
        metadata=V1ObjectMeta(name="never", namespace=USERS),
        spec=katib.V1beta1ExperimentSpec(
            max_trial_count=2,
            parallel_trial_count=2,
            max_failed_trial_count=1,
            resume_policy="Never",
            algorithm=katib.V1beta1AlgorithmSpec(algorithm_name="random"),
            objective=katib.V1beta1ObjectiveSpec(
                type="minimize", goal=0.001, objective_metric_name="loss"
            ),
            parameters=[
                katib.V1beta1ParameterSpec(
                    name="lr",
                    parameter_type="double",
                    feasible_space=katib.V1beta1FeasibleSpace(min="0.01", max="0.06"),
                )
            ],
            trial_template=katib.V1beta1TrialTemplate(
                primary_container_name="training-container",
                trial_parameters=[
                    katib.V1beta1TrialParameterSpec(name="learningRate", reference="lr")
                ],
                trial_spec=job,
            ),
        ),
    )
    volume = copy.deepcopy(experiment)
    volume.metadata.name = "volume"
    volume.spec.resume_policy = "FromVolume"
    connected = client(asked)
    names = ("never", "volume")
    for each in (experiment, volume):
        connected.create_experiment(each, namespace=USERS)
    waited = {"timeout": asked["seconds"], "polling_interval": 1}
    for name in names:
        connected.wait_for_experiment_condition(name, namespace=USERS, **waited)
    suggestions = [connected.get_suggestion(name, namespace=USERS) for name in names]
    found = {
        "names": sorted(e.metadata.name for e in connected.list_experiments(namespace=USERS)),
        "succeeded": [connected.is_experiment_succeeded(n, namespace=USERS) for n in names],
        "conditions": len(connected.get_experiment_conditions("never", namespace=USERS)),
        "trials": len(connected.list_trials("volume", namespace=USERS)),
        "policies": [each.spec.resume_policy for each in suggestions],
        "limit": connected.get_experiment("never", namespace=USERS).spec.max_trial_count,
    }
    for name in names:
        connected.delete_experiment(name, namespace=USERS)
    return found


def again(asked: dict[str, Any]) -> str:
    try:
        tune(asked)
    except Exception as error:  # noqa: BLE001 - it raises nothing more precise
        return str(error)
    return "created"


def delete(asked: dict[str, Any]) -> list[str]:
    connected = client(asked)
    connected.delete_experiment(NAME)
    return [each.metadata.name for each in connected.list_experiments()]


try_all(
    {
        "tune": tune,
        "wait": wait,
        "trials": trials,
        "details": details,
        "optimum": optimum,
        "logs": logs,
        "metrics": metrics,
        "suggestion": suggestion,
        "kept": kept,
        "ours": ours,
        "budget": budget,
        "endless": endless,
        "notebook": notebook,
        "again": again,
        "delete": delete,
    }
)
