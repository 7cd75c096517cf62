"""The Experiment as the rest of the room uses it: read, linted, with Katib's defaults filled in.

Defaults and their order follow Katib v0.19's defaulter webhook
(pkg/apis/controller/experiments/v1beta1).
"""

import copy
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from katib.document import Document, parse_document, read_document
from katib.errors import InvalidExperiment
from katib.lint import lint_document, only_errors
from katib.lint.finding import Finding
from katib.objects import JsonObject, JsonValue
from katib.space import Parameter

ANNOTATION = "tunegate.dev/"
CONDITIONS = {
    "failureCondition": 'status.conditions.#(type=="Failed")#|#(status=="True")#',
    "successCondition": 'status.conditions.#(type=="Complete")#|#(status=="True")#',
}
METRICS_FILE = {"path": "/var/log/katib/metrics.log", "kind": "File", "format": "TEXT"}
COUNTS = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")
SEED_SETTING = "random_state"
NOT_INSTALLED = "K121"  # a cluster's own configuration decides which algorithms there are


@dataclass(frozen=True, slots=True)
class Experiment:
    """A valid Experiment.

    Attributes:
        name: its `metadata.name`.
        namespace: its `metadata.namespace`, `default` if it names none.
        document: the whole object with defaults; the properties are read from it.
        parameters: the search space.
        written: the object as it was written, for Katib, which has defaults of its own.
    """

    name: str
    namespace: str
    document: JsonObject
    parameters: tuple[Parameter, ...]
    written: JsonObject = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_yaml(cls, source: str | Path) -> "Experiment":
        """Read and check an Experiment: a file's path, or the YAML text itself.

        Raises:
            InvalidExperiment: see `read_experiment`.

        Example:
            >>> experiment = tg.Experiment.from_yaml("manifests/experiment.yaml")
        """
        if isinstance(source, Path) or "\n" not in source:
            return read_experiment(Path(source))
        return to_experiment(parse_document(source))

    def to_yaml(self, path: str | Path | None = None) -> str:
        """Return the Experiment as YAML, without comments, and write it to a file if named.

        Raises:
            InvalidExperiment: when the file cannot be written.

        Example:
            >>> experiment.to_yaml("mine.yaml")
        """
        text = yaml.safe_dump(self.written, sort_keys=False)
        if path is not None:
            try:
                Path(path).write_text(text, encoding="utf-8")
            except OSError as error:
                raise InvalidExperiment(
                    f"{path}: {error.strerror}", hint="choose another file"
                ) from error
        return text

    def __repr__(self) -> str:
        direction = "minimize" if self.minimize else "maximize"
        return f"<Experiment {self.name}: {direction} {self.metric} by {self.algorithm}>"

    @property
    def spec(self) -> JsonObject:
        """The object's `spec`."""
        spec: JsonObject = self.document["spec"]
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
        """The objective's goal, None without one; 0 is a goal."""
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
        """How many trials run at once."""
        return int(self.spec["parallelTrialCount"])

    @property
    def batch(self) -> bool:
        """Whether trials start in batches, which makes a seeded search repeatable to the byte."""
        return self.annotation("schedule") == "batch"

    @property
    def pushes(self) -> bool:
        """Whether trials send their metrics to Katib's DBManager, and no collector reads them."""
        return bool(self.spec["metricsCollectorSpec"]["collector"]["kind"] == "Push")

    @property
    def digest(self) -> str:
        """The sha256 of everything that decides what the trials are."""
        return self._digest_of(self.spec)

    @property
    def digest_without_counts(self) -> str:
        """The sha256 without the counts that may change between two runs, as on Katib."""
        return self._digest_of({name: self.spec[name] for name in self.spec if name not in COUNTS})

    def _digest_of(self, spec: JsonObject) -> str:
        decisive = json.dumps([self.name, spec, self.batch], sort_keys=True)
        return hashlib.sha256(decisive.encode()).hexdigest()

    def annotation(self, name: str) -> str | None:
        """Return the value of our own annotation `tunegate.dev/<name>`."""
        annotations = self.document["metadata"].get("annotations") or {}
        return annotations.get(ANNOTATION + name)


def read_experiment(path: Path, *, local: bool = True) -> Experiment:
    """Read and check an Experiment file.

    Args:
        path: the file.
        local: whether it is to run on this machine; if not, limits of this engine are no errors.

    Raises:
        InvalidExperiment: when Katib would refuse it or accept it and hang, or when this engine
            cannot run it.
    """
    return to_experiment(read_document(path), local=local)


def to_experiment(document: Document, *, local: bool = True) -> Experiment:
    """Check a document and fill in defaults; see `read_experiment`."""
    findings = lint_document(document)
    wrong = [f for f in only_errors(findings) if not _is_harmless(f, local=local)]
    if wrong:
        lines = "\n".join(f"  {finding}" for finding in wrong)
        raise InvalidExperiment(
            f"{document.source}: {len(wrong)} error(s)\n{lines}",
            findings=findings,
            hint="fix them, then `tunegate lint`",
        )
    value = with_defaults(document.value)
    metadata = value["metadata"]
    parameters = tuple(Parameter.from_spec(p) for p in value["spec"].get("parameters", ()))
    return Experiment(metadata["name"], metadata["namespace"], value, parameters, document.value)


def _is_harmless(finding: Finding, *, local: bool) -> bool:
    """Whether an error counts only elsewhere than where the Experiment is to run."""
    if local:
        return finding.for_cluster_only
    return finding.for_local_only or finding.code == NOT_INSTALLED


def with_defaults(value: JsonObject) -> JsonObject:
    """Return a copy of the object as Katib's defaulter would leave it."""
    value = _without_nulls(copy.deepcopy(value))
    metadata = value["metadata"]
    spec = value["spec"]
    metadata.setdefault("namespace", "default")
    metadata.setdefault("name", str(metadata.get("generateName", "")) + "local")
    spec.setdefault("parallelTrialCount", 3)
    spec.setdefault("resumePolicy", "Never")
    _default_collector(spec.setdefault("metricsCollectorSpec", {}))
    _default_strategies(spec["objective"])
    for parameter in spec.get("parameters", ()):
        parameter["feasibleSpace"].setdefault("distribution", "uniform")
    template = spec["trialTemplate"]
    if template.get("trialSpec", {}).get("kind") == "Job":  # other kinds must name theirs
        spec["trialTemplate"] = {**CONDITIONS, **template}
    return value


def _without_nulls(value: JsonValue) -> JsonValue:
    """Leave out fields that are null: Go treats them as absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _default_collector(collector: JsonObject) -> None:
    kind = collector.setdefault("collector", {}).setdefault("kind", "StdOut")
    if kind == "File":
        path = collector.setdefault("source", {}).setdefault("fileSystemPath", {})
        for name, default in METRICS_FILE.items():
            path.setdefault(name, default)


def _default_strategies(objective: JsonObject) -> None:
    given = list(objective.get("metricStrategies") or [])
    default = "min" if objective["type"] == "minimize" else "max"
    known = {strategy["name"] for strategy in given}
    names = [objective["objectiveMetricName"], *objective.get("additionalMetricNames", ())]
    objective["metricStrategies"] = given + [
        {"name": name, "value": default} for name in names if name not in known
    ]
