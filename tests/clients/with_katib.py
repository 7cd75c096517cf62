"""Katib's own client, in `.peers/katib`: what its pages and notebooks do, unchanged."""

from typing import Any

from kubeflow import katib
from kubernetes.client import Configuration
from ways import try_all

NAME = "tuned"


def objective(parameters: dict[str, str]) -> None:
    """Be shipped as text into a trial; smallest at a = 4."""
    loss = (float(parameters["a"]) - 4) ** 2 + float(parameters["b"])
    print(f"loss={loss}")  # noqa: T201 - how a trial reports


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
        "again": again,
        "delete": delete,
    }
)
