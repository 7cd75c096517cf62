"""A run as an Optuna study in a storage file, for optuna-dashboard and other tools."""

import os
import sqlite3
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from katib.errors import EngineError
from katib.metrics_collector import number as finite_number
from katib.space import Parameter

JOURNAL_SUFFIXES = frozenset({".log", ".journal", ".jsonl"})
STUDY_STATES = {
    "Created": TrialState.WAITING,
    "Running": TrialState.RUNNING,
    "EarlyStopped": TrialState.PRUNED,
    "Succeeded": TrialState.COMPLETE,
}
MOST_STEPS = 1_000_000  # beyond, rounding fails Optuna's check that a value lies on a step
OWNER_MARK = "tunegate"  # attribute of a study that was written here, and may be replaced

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """One trial of a study; times carry a zone, `value` is its finite objective.

    Attributes:
        state: Katib's word.
        reports: the objective's reports in order.
        notes: what becomes user attributes.
    """

    assignments: Mapping[str, str]
    state: str
    value: float | None = None
    started: datetime | None = None
    ended: datetime | None = None
    reports: tuple[float, ...] = ()
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Study:
    """A whole study; its trials are numbered in their order."""

    name: str
    metric: str
    minimize: bool
    parameters: Sequence[Parameter]
    trials: Sequence[StudyTrial]
    notes: Mapping[str, object] = field(default_factory=dict)


def write_study(study: Study, target: Path) -> None:
    """Write a study into a file of its own, atomically; an earlier one of ours is replaced.

    The file's suffix decides: `.log`, `.journal` and `.jsonl` make an Optuna journal, every other
    one SQLite.

    Raises:
        EngineError: when the file holds anything else, or cannot be written.
    """
    if target.exists() and target.stat().st_size:
        _check_ownership(target, study.name)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            # The same name, as its suffix decides the format.
            temporary = Path(folder) / target.name
            _write_trials(study, temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
    except (OSError, optuna.exceptions.StorageInternalError) as error:
        why = getattr(error, "strerror", None) or error
        raise EngineError(
            f"{target}: {why}", hint="free some space, or choose another --output"
        ) from error


def dashboard_address(target: Path) -> str:
    """Return what optuna-dashboard is called with to open a file that `write_study` wrote."""
    if target.suffix in JOURNAL_SUFFIXES:
        return str(target)
    return f"sqlite:///{target}"


def _check_ownership(target: Path, name: str) -> None:
    hint = "choose another --output, or delete it"
    try:
        if target.suffix in JOURNAL_SUFFIXES:
            found = _studies_in_journal(target)
        else:
            found = _studies_in_sqlite(target)
    # SQLite and Optuna's journal raise many errors for a file that is not theirs.
    except Exception as error:
        raise EngineError(f"{target}: there is a file of another kind", hint=hint) from error
    if found != {name: True}:
        others = ", ".join(sorted(found)) or "no study of ours"
        raise EngineError(f"{target}: it holds {others}, and would be replaced", hint=hint)


def _studies_in_sqlite(target: Path) -> dict[str, bool]:
    """Return each study's name, and whether it was written here.

    Optuna's own storage would write into any file that it opens.
    """
    marked = (
        "SELECT COUNT(*) FROM study_user_attributes a WHERE a.study_id = s.study_id AND a.key = ?"
    )
    with closing(sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(
            f"SELECT s.study_name, ({marked}) FROM studies s",  # noqa: S608 - constants
            [OWNER_MARK],
        ).fetchall()
    return {name: bool(count) for name, count in rows}


def _studies_in_journal(target: Path) -> dict[str, bool]:
    return {
        study.study_name: OWNER_MARK in study.user_attrs
        for study in _open_storage(target).get_all_studies()
    }


def _write_trials(study: Study, path: Path) -> None:
    distributions = {p.name: _study_distribution(p, study.trials) for p in study.parameters}
    storage = _open_storage(path)
    try:
        with warnings.catch_warnings():
            # The names of metrics are experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made = optuna.create_study(
                storage=storage,
                study_name=study.name,
                direction="minimize" if study.minimize else "maximize",
            )
            made.set_metric_names([study.metric])
        for key, value in {OWNER_MARK: True, **study.notes}.items():
            made.set_user_attr(key, value)
        made.add_trials([_to_optuna(trial, study, distributions) for trial in study.trials])
    finally:
        _close_storage(storage)


def _open_storage(path: Path) -> BaseStorage:
    if path.suffix in JOURNAL_SUFFIXES:
        return JournalStorage(JournalFileBackend(str(path)))
    return RDBStorage(f"sqlite:///{path}")


def _close_storage(storage: BaseStorage) -> None:
    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def _study_distribution(parameter: Parameter, trials: Sequence[StudyTrial]) -> BaseDistribution:
    """Return a parameter's space in Optuna's terms, widened to hold every value that was tried.

    Optuna has no normal distributions and no steps on a log scale. Some of Katib's own services
    ignore steps, and some even bounds.
    """
    name = parameter.name
    tried = [trial.assignments[name] for trial in trials if name in trial.assignments]
    if parameter.choices:
        every = [_choice_value(parameter, value) for value in (*parameter.choices, *tried)]
        return CategoricalDistribution(list(dict.fromkeys(every)))
    numbers = [v for value in tried if (v := finite_number(value)) is not None]
    low = min([parameter.low, *numbers])
    high = max([parameter.last, *numbers])
    log = parameter.distribution.startswith("log")
    on_steps = all(parameter.contains(repr(v)) for v in numbers)
    stepped = not log and parameter.size <= MOST_STEPS and on_steps
    step = parameter.step if stepped else None
    if parameter.kind == "int":
        return IntDistribution(int(low), int(high), log=log, step=round(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def _choice_value(parameter: Parameter, value: str) -> str | float:
    """Return a discrete parameter's value as a number, unless two of them would be the same."""
    if parameter.kind != "discrete":
        return value
    distinct = {float(choice) for choice in parameter.choices}
    if len(distinct) == len(parameter.choices):
        return float(value)
    return value


def _typed_value(parameter: Parameter, text: str) -> str | float:
    if parameter.choices:
        return _choice_value(parameter, text)
    if parameter.kind == "int":
        return int(float(text))
    return float(text)


def _to_optuna(
    trial: StudyTrial, study: Study, distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    state = STUDY_STATES.get(trial.state, TrialState.FAIL)
    if state == TrialState.COMPLETE and trial.value is None:
        state = TrialState.FAIL  # Optuna allows no complete trial without a value.
    valued = state in {TrialState.COMPLETE, TrialState.PRUNED}
    searched = {
        p.name: _typed_value(p, trial.assignments[p.name])
        for p in study.parameters
        if p.name in trial.assignments
    }
    frozen = create_trial(
        state=state,
        value=trial.value if valued else None,
        params=searched,
        distributions={name: distributions[name] for name in searched},
        user_attrs=dict(trial.notes),
        intermediate_values=dict(enumerate(trial.reports)),
    )
    if state != TrialState.WAITING:
        frozen.datetime_start = _local_time(trial.started) or frozen.datetime_start
    if state.is_finished():
        frozen.datetime_complete = _local_time(trial.ended) or frozen.datetime_start
    return frozen


def _local_time(time: datetime | None) -> datetime | None:
    """Return a time as Optuna writes it: this machine's, without a zone."""
    if time is None:
        return None
    return time.astimezone().replace(tzinfo=None)
