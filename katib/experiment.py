"""The Experiment as the rest of the room sees it: read, linted, with Katib's defaults filled in.

Defaults and their order follow Katib v0.19's defaulter webhook (pkg/apis/controller/experiments/v1beta1).
"""

import copy
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from katib.document import Document, read_document
from katib.errors import InvalidExperiment
from katib.lint import errors, lint
from katib.space import Parameter

ANNOTATION = "tunegate.dev/"
CONDITIONS = {
    "failureCondition": 'status.conditions.#(type=="Failed")#|#(status=="True")#',
    "successCondition": 'status.conditions.#(type=="Complete")#|#(status=="True")#',
}
SEED_SETTING = "random_state"
NOT_INSTALLED = "K121"  # a cluster's own configuration decides which algorithms there are


@dataclass(frozen=True, slots=True)
class Experiment:
    """A valid Experiment: `document` is the whole object with defaults, the other fields are read from it.

    Attributes:
        written: the object as it was written, for Katib, which has defaults of its own.
    """

    name: str
    namespace: str
    document: dict[str, Any]
    parameters: tuple[Parameter, ...]
    written: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def spec(self) -> dict[str, Any]:
        """The object's `spec`."""
        spec: dict[str, Any] = self.document["spec"]
        return spec

    @property
    def minimize(self) -> bool:
        """Whether less is better."""
        return bool(self.spec["objective"]["type"] == "minimize")

    @property
    def metric(self) -> str:
        """The objective metric's name."""
        return str(self.spec["objective"]["objectiveMetricName"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The objective metric and the additional ones."""
        return (self.metric, *self.spec["objective"].get("additionalMetricNames", ()))

    @property
    def strategy(self) -> str:
        """Which of min, max and latest the objective is compared by."""
        strategies = self.spec["objective"]["metricStrategies"]
        return next(str(s["value"]) for s in strategies if s["name"] == self.metric)

    @property
    def goal(self) -> float | None:
        """The objective's goal; 0 is one, None is none."""
        goal = self.spec["objective"].get("goal")
        return None if goal is None else float(goal)

    @property
    def algorithm(self) -> str:
        """The algorithm's name."""
        return str(self.spec["algorithm"]["algorithmName"])

    @property
    def settings(self) -> dict[str, str]:
        """The algorithm's settings."""
        return {s["name"]: s["value"] for s in self.spec["algorithm"].get("algorithmSettings", ())}

    @property
    def seed(self) -> int | None:
        """The search's seed, when the document names one."""
        if SEED_SETTING in self.settings:
            return int(self.settings[SEED_SETTING])
        return None

    @property
    def parallel(self) -> int:
        """How many trials are asked for at once."""
        return int(self.spec["parallelTrialCount"])

    @property
    def batch(self) -> bool:
        """Whether trials are asked for in batches, which makes a seeded search repeatable to the byte."""
        return self.annotation("schedule") == "batch"

    @property
    def digest(self) -> str:
        """The sha256 of everything that decides what the trials are."""
        return hashlib.sha256(
            json.dumps([self.name, self.spec, self.batch], sort_keys=True).encode()
        ).hexdigest()

    def annotation(self, name: str) -> str | None:
        """Return the value of our own annotation `tunegate.dev/<name>`."""
        annotations = self.document["metadata"].get("annotations") or {}
        return annotations.get(ANNOTATION + name)


def read_experiment(path: Path, *, local: bool = True) -> Experiment:
    """Read and check an Experiment file.

    Args:
        path: the file.
        local: whether it is to run on this machine; otherwise what only this engine cannot do is no error.

    Raises:
        InvalidExperiment: when Katib would refuse it, would accept it and hang, or this engine cannot run it.
    """
    return to_experiment(read_document(path), local=local)


def to_experiment(document: Document, *, local: bool = True) -> Experiment:
    """Check a document and fill in defaults; see `read_experiment`."""
    findings = lint(document)
    passed = [
        f
        for f in findings
        if (f.for_cluster_only if local else f.for_local_only or f.code == NOT_INSTALLED)
    ]
    if wrong := [f for f in errors(findings) if f not in passed]:
        lines = "\n".join(f"  {finding}" for finding in wrong)
        raise InvalidExperiment(
            f"{document.source}: {len(wrong)} error(s)\n{lines}",
            findings=findings,
            hint="mend them, then `tunegate lint`",
        )
    value = with_defaults(document.value)
    metadata = value["metadata"]
    parameters = tuple(Parameter.from_spec(p) for p in value["spec"].get("parameters", ()))
    return Experiment(metadata["name"], metadata["namespace"], value, parameters, document.value)


def with_defaults(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the object as Katib's defaulter would leave it."""
    value = _without_nulls(copy.deepcopy(value))
    metadata = value["metadata"]
    spec = value["spec"]
    metadata.setdefault("namespace", "default")
    metadata.setdefault("name", str(metadata.get("generateName", "")) + "local")
    spec.setdefault("parallelTrialCount", 3)
    spec.setdefault("resumePolicy", "Never")
    spec.setdefault("metricsCollectorSpec", {}).setdefault("collector", {}).setdefault(
        "kind", "StdOut"
    )
    _default_source(spec["metricsCollectorSpec"])
    _default_strategies(spec["objective"])
    for parameter in spec.get("parameters", ()):
        parameter["feasibleSpace"].setdefault("distribution", "uniform")
    if (
        spec["trialTemplate"].get("trialSpec", {}).get("kind") == "Job"
    ):  # for other kinds they are mandatory
        spec["trialTemplate"] = {**CONDITIONS, **spec["trialTemplate"]}
    return value


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - YAML
    """Leave out fields that are null: to Go they are absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _default_source(collector: dict[str, Any]) -> None:
    if collector["collector"]["kind"] == "File":
        path = collector.setdefault("source", {}).setdefault("fileSystemPath", {})
        for name, default in (
            ("path", "/var/log/katib/metrics.log"),
            ("kind", "File"),
            ("format", "TEXT"),
        ):
            path.setdefault(name, default)


def _default_strategies(objective: dict[str, Any]) -> None:
    given = list(objective.get("metricStrategies") or [])
    default = "min" if objective["type"] == "minimize" else "max"
    known = {strategy["name"] for strategy in given}
    names = [objective["objectiveMetricName"], *objective.get("additionalMetricNames", ())]
    objective["metricStrategies"] = given + [
        {"name": name, "value": default} for name in names if name not in known
    ]
