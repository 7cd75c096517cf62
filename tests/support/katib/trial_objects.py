"""Trial objects as Katib writes them."""

import json
from pathlib import Path
from typing import Any


def trial(
    name: str,
    metrics: dict[str, dict[str, str]] | None = None,
    *,
    state: str = "Succeeded",
    kind: str = "minimize",
    strategies: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Make a Trial whose objective is `mse`; `metrics` is name -> latest, min, max."""
    objective: dict[str, Any] = {"type": kind, "objectiveMetricName": "mse"}
    if strategies is not None:
        objective["metricStrategies"] = [
            {"name": key, "value": value} for key, value in strategies.items()
        ]
    status: dict[str, Any] = {
        "conditions": [{"type": "Created"}, {"type": "Running"}, {"type": state}]
    }
    if metrics is not None:
        status["observation"] = {
            "metrics": [{"name": key, **values} for key, values in metrics.items()]
        }
    return {
        "metadata": {"name": name, "labels": {"katib.kubeflow.org/experiment": "forest"}},
        "spec": {
            "objective": objective,
            "parameterAssignments": [{"name": "max_depth", "value": "7"}],
        },
        "status": status,
    }


def scored(name: str, value: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a Trial that reported `value` once."""
    return trial(name, {"mse": {"latest": value, "min": value, "max": value}}, **options)


def recorded(folder: Path, kind: str = "trial") -> list[dict[str, Any]]:
    """Read a case's recorded objects, in the order in which they came."""
    return [
        json.loads(path.read_text())["object"] for path in sorted(folder.glob(f"*-{kind}-*.json"))
    ]
