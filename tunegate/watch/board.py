"""An Experiment and its trials at one moment, as a table needs them; from Katib's objects or a local run's alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from katib.cluster.experiments import state, terminal
from katib.experiment import Experiment, with_defaults
from katib.local.run_folder import read_objects
from katib.metrics_collector import objective_value
from katib.space import Parameter
from katib.trial import FINISHED
from promote.candidate import rank
from promote.errors import NoCandidate
from tunegate.errors import UsageError

Object = Mapping[str, Any]
VALUED = frozenset({"Succeeded", "EarlyStopped"})
INTERRUPTED = "Interrupted"


@dataclass(frozen=True, slots=True)
class Row:
    """One trial; `number` counts from 1 in the order of asking, `value` is its objective, `others` more metrics."""

    number: int
    name: str
    state: str
    assignments: dict[str, str]
    value: float | None
    began: datetime | None
    ended: datetime | None
    message: str
    others: dict[str, float]

    def seconds(self, now: datetime) -> float | None:
        """Return how long it ran, or has been running; None before it starts."""
        if self.began is None:
            return None
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


@dataclass(frozen=True, slots=True)
class Board:
    """The whole table.

    Attributes:
        name: the Experiment's.
        state: Katib's word for the Experiment, or `INTERRUPTED`.
        total: maxTrialCount, None for no limit.
        best: name of the trial that would become the candidate; empty without one.
        where: the run's folder, or the namespace.
    """

    name: str
    state: str
    message: str
    metric: str
    total: int | None
    began: datetime | None
    ended: datetime | None
    rows: tuple[Row, ...]
    best: str
    where: str

    @property
    def top(self) -> Row | None:
        """The best trial."""
        return next((row for row in self.rows if row.name == self.best), None)


def board(experiment: Object, trials: Sequence[Object], *, where: str, local: bool) -> Board:
    """Put a table together.

    Args:
        experiment: the Experiment with its status.
        trials: its Trials, in the order of asking.
        where: see `Board`.
        local: whether this machine ran them: then the time that a trial waited for a CPU is not its own.
    """
    spec = experiment["spec"]
    status = experiment.get("status", {})
    return Board(
        name=experiment["metadata"]["name"],
        state=state(experiment),
        message=_message(experiment),
        metric=spec["objective"]["objectiveMetricName"],
        total=spec.get("maxTrialCount"),
        began=_time(status.get("startTime")),
        ended=_time(status.get("completionTime")),
        rows=tuple(_row(number, trial, local=local) for number, trial in enumerate(trials, 1)),
        best=_best(trials),
        where=where,
    )


def valued_rows(board: Board) -> list[Row]:
    """Return the trials that may become the candidate."""
    return [row for row in board.rows if row.state == "Succeeded" and row.value is not None]


def failed_rows(board: Board) -> list[Row]:
    """Return the trials that have ended without a result, which those that were stopped early have not."""
    aside = {row.number for row in (*valued_rows(board), *stopped_rows(board))}
    return [row for row in board.rows if row.state in FINISHED and row.number not in aside]


def stopped_rows(board: Board) -> list[Row]:
    """Return the trials that could not win any more; their value is their last report."""
    return [row for row in board.rows if row.state == "EarlyStopped"]


def _row(number: int, trial: Object, *, local: bool) -> Row:
    status = trial.get("status", {})
    now = state(trial)
    running = next((c for c in status.get("conditions") or () if c["type"] == "Running"), None)
    began = status.get("startTime") if running else None
    if running and local:
        began = running["lastTransitionTime"]
    return Row(
        number=number,
        name=trial["metadata"]["name"],
        state=now,
        assignments={pair["name"]: pair["value"] for pair in trial["spec"]["parameterAssignments"]},
        value=_value(trial, _metric(trial)) if now in VALUED else None,
        began=_time(began),
        ended=_time(status.get("completionTime")) if terminal(trial) else None,
        message=_message(trial),
        others=_others(trial) if now in VALUED else {},
    )


def _metric(trial: Object) -> str:
    return str(trial["spec"]["objective"]["objectiveMetricName"])


def _others(trial: Object) -> dict[str, float]:
    names = trial["spec"]["objective"].get("additionalMetricNames") or ()
    return {name: value for name in names if (value := _value(trial, name)) is not None}


def _value(trial: Object, name: str) -> float | None:
    """Return what Katib compares of a metric: its strategy's field."""
    objective = trial["spec"]["objective"]
    default = "min" if objective["type"] == "minimize" else "max"
    strategies = {s["name"]: s["value"] for s in objective.get("metricStrategies") or ()}
    metrics = trial.get("status", {}).get("observation", {}).get("metrics") or ()
    return objective_value(metrics, name, strategies.get(name, default))


def _best(trials: Sequence[Object]) -> str:
    try:
        return rank(trials)[0].trial
    except NoCandidate:
        return ""


def _message(item: Object) -> str:
    conditions = item.get("status", {}).get("conditions") or [{}]
    return str(conditions[-1].get("message", ""))


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if time.tzinfo:
        return time
    return time.replace(tzinfo=UTC)


def kept_run(run: Path) -> tuple[Experiment, Board]:
    """Return a run's Experiment and trials. Once it has run, here or on a cluster, nothing in it is checked again.

    Raises:
        UsageError: when its status is damaged.
    """
    try:
        found, trials = read_objects(run)
        document = with_defaults({key: value for key, value in found.items() if key != "status"})
        metadata = document["metadata"]
        parameters = document["spec"].get("parameters", ())
        space = tuple(map(Parameter.from_spec, parameters))
        experiment = Experiment(metadata["name"], metadata["namespace"], document, space, document)
        return experiment, board(found, trials, where=str(run), local=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{run}: its status is damaged", hint="`tunegate doctor` says what can be done"
        ) from error
