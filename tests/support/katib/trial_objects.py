"""Trial objects as Katib writes them, and a trial's record as the engine does."""

import json
from pathlib import Path
from typing import Any

from katib.trial import Trial

FULL_TRIAL = Trial(
    index=0,
    name="tiny-a",
    assignments={"x": "0.5", "ü": '"\\\n'},
    state="Succeeded",
    created="2026-01-01T00:00:00Z",
    started="2026-01-01T00:00:01Z",
    finished="2026-01-01T00:00:02Z",
    reason="TrialSucceeded",
    message="ok",
    observation=({"name": "mse", "min": "1.5", "max": "1.5", "latest": "1.5"},),
    series=(1.5, 2.5),
    tail=("mse=1.5", "\ufffd\x00"),
    cpu=0.25,
)


def make_trial(
    name: str,
    metrics: dict[str, dict[str, str]] | None = None,
    *,
    state: str = "Succeeded",
    kind: str = "minimize",
    strategies: dict[str, str] | None = None,
    model: str = "",
) -> dict[str, Any]:
    """Make a Trial whose objective is `mse`; `metrics` is name -> latest, min, max."""
    objective: dict[str, Any] = {"type": kind, "objectiveMetricName": "mse"}
    if strategies is not None:
        objective["metricStrategies"] = [
            {"name": key, "value": value} for key, value in strategies.items()
        ]
    conditions = [
        {"type": "Created", "status": "True"},
        {"type": "Running", "status": str(state == "Running")},
    ]
    if state not in {"Created", "Running"}:
        conditions.append({"type": state, "status": "True"})
    status: dict[str, Any] = {"conditions": conditions}
    if metrics is not None:
        status["observation"] = {
            "metrics": [{"name": key, **values} for key, values in metrics.items()]
        }
    return {
        "metadata": {"name": name, "labels": {"katib.kubeflow.org/experiment": "forest"}},
        "spec": {
            "objective": objective,
            "parameterAssignments": [
                {"name": "max_depth", "value": "7"},
                *([{"name": "model", "value": model}] if model else []),
            ],
        },
        "status": status,
    }


def scored_trial(name: str, value: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a Trial that reported `value` once."""
    return make_trial(name, {"mse": {"latest": value, "min": value, "max": value}}, **options)


def recorded_objects(folder: Path, kind: str = "trial") -> list[dict[str, Any]]:
    """Read a case's recorded objects, in the order in which they came."""
    return [
        json.loads(path.read_text())["object"] for path in sorted(folder.glob(f"*-{kind}-*.json"))
    ]
