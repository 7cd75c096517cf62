"""An Experiment and its trials at one moment, as a table needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from katib.experiment import Experiment, with_defaults
from katib.local.run_folder import read_objects
from katib.objects import (
    KatibObject,
    assignments,
    is_finished,
    message,
    metric_value,
    objective_name,
    objective_value,
    rank,
    state,
)
from katib.space import Parameter
from katib.trial import FINISHED
from tunegate.errors import UsageError

VALUED = frozenset({"Succeeded", "EarlyStopped"})
INTERRUPTED = "Interrupted"


@dataclass(frozen=True, slots=True)
class Row:
    """One trial.

    Attributes:
        number: its place in the order in which trials were asked for, from 1.
        value: its objective.
        others: its other metrics.
    """

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


def make_board(
    experiment: KatibObject, trials: Sequence[KatibObject], *, where: str, local: bool
) -> Board:
    """Return the table of an Experiment's trials.

    Args:
        experiment: the Experiment with its status.
        trials: its Trials, in the order in which they were asked for.
        where: see `Board`.
        local: whether this machine ran them, where a trial's time does not include its wait for a
            CPU.
    """
    status = experiment.get("status", {})
    ranked = rank(trials)
    return Board(
        name=experiment["metadata"]["name"],
        state=state(experiment),
        message=message(experiment),
        metric=objective_name(experiment),
        total=experiment["spec"].get("maxTrialCount"),
        began=_parse_object_time(status.get("startTime")),
        ended=_parse_object_time(status.get("completionTime")),
        rows=tuple(_make_row(number, trial, local=local) for number, trial in enumerate(trials, 1)),
        best=ranked[0].trial if ranked else "",
        where=where,
    )


def valued_rows(board: Board) -> list[Row]:
    """Return the trials that may become the candidate."""
    return [row for row in board.rows if row.state == "Succeeded" and row.value is not None]


def failed_rows(board: Board) -> list[Row]:
    """Return the trials that have ended without a result; one that was stopped early has one."""
    others = {row.number for row in (*valued_rows(board), *stopped_rows(board))}
    return [row for row in board.rows if row.state in FINISHED and row.number not in others]


def stopped_rows(board: Board) -> list[Row]:
    """Return the trials that could not win any more; their value is their last report."""
    return [row for row in board.rows if row.state == "EarlyStopped"]


def _make_row(number: int, trial: KatibObject, *, local: bool) -> Row:
    status = trial.get("status", {})
    now = state(trial)
    value = None
    others: dict[str, float] = {}
    if now in VALUED:
        value = objective_value(trial)
        others = _other_values(trial)
    return Row(
        number=number,
        name=trial["metadata"]["name"],
        state=now,
        assignments=assignments(trial),
        value=value,
        began=_parse_object_time(_start_time(status, local=local)),
        ended=_parse_object_time(status.get("completionTime")) if is_finished(trial) else None,
        message=message(trial),
        others=others,
    )


def _start_time(status: KatibObject, *, local: bool) -> str | None:
    running = [each for each in status.get("conditions") or () if each["type"] == "Running"]
    if not running:
        return None
    time: str | None = running[0]["lastTransitionTime"] if local else status.get("startTime")
    return time


def _other_values(trial: KatibObject) -> dict[str, float]:
    names = trial["spec"]["objective"].get("additionalMetricNames") or ()
    values = {name: metric_value(trial, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _parse_object_time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if time.tzinfo:
        return time
    return time.replace(tzinfo=UTC)


def kept_run(run: Path) -> tuple[Experiment, Board]:
    """Return a run's Experiment and trials, without checking the Experiment again.

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
        return experiment, make_board(found, trials, where=str(run), local=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{run}: its status is damaged", hint="`tunegate doctor` says what can be done"
        ) from error
