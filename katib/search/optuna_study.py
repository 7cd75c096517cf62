"""A run as an Optuna study in a storage file, for optuna-dashboard and everything else that opens one."""

import os
import sqlite3
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

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
from katib.metrics_collector import number
from katib.space import Parameter

JOURNALS = frozenset({".log", ".journal", ".jsonl"})
STATES = {
    "Created": TrialState.WAITING,
    "Running": TrialState.RUNNING,
    "EarlyStopped": TrialState.PRUNED,
    "Succeeded": TrialState.COMPLETE,
}
MOST_STEPS = 1_000_000  # beyond, Optuna's check that a value lies on one is too strict for rounding
MARK = "tunegate"  # a study's attribute that says that it was written here, and may be replaced

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """One trial to write down; times carry a zone, `value` is its finite objective.

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
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Study:
    """A whole study; its trials are numbered in their order."""

    name: str
    metric: str
    minimize: bool
    parameters: Sequence[Parameter]
    trials: Sequence[StudyTrial]
    notes: Mapping[str, Any] = field(default_factory=dict)


def write_study(study: Study, target: Path) -> None:
    """Write a study into a file of its own, in one step; one that was written here before is replaced.

    The file's name decides: `.log`, `.journal` and `.jsonl` are Optuna's journal, everything else is SQLite.

    Raises:
        EngineError: when the file holds anything else, or cannot be written.
    """
    if target.exists() and target.stat().st_size:
        _check_ours(target, study.name)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            # Of the same name, for that decides the kind.
            temporary = Path(folder) / target.name
            _fill(study, temporary)
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
    if target.suffix in JOURNALS:
        return str(target)
    return f"sqlite:///{target}"


def _check_ours(target: Path, name: str) -> None:
    hint = "choose another --output, or delete it"
    try:
        if target.suffix in JOURNALS:
            found = _in_journal(target)
        else:
            found = _in_sqlite(target)
    except (
        Exception
    ) as error:  # whatever SQLite and Optuna's journal say of a file that is not theirs
        raise EngineError(f"{target}: there is a file of another kind", hint=hint) from error
    if found != {name: True}:
        others = ", ".join(sorted(found)) or "no study of ours"
        raise EngineError(f"{target}: it holds {others}, and would be replaced", hint=hint)


def _in_sqlite(target: Path) -> dict[str, bool]:
    """Return each study's name, and whether it was written here; Optuna's own storage would write into any file."""
    marked = (
        "SELECT COUNT(*) FROM study_user_attributes a WHERE a.study_id = s.study_id AND a.key = ?"
    )
    with closing(sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(
            f"SELECT s.study_name, ({marked}) FROM studies s",  # noqa: S608 - constants
            [MARK],
        ).fetchall()
    return {name: bool(count) for name, count in rows}


def _in_journal(target: Path) -> dict[str, bool]:
    return {
        study.study_name: MARK in study.user_attrs for study in _storage(target).get_all_studies()
    }


def _fill(study: Study, path: Path) -> None:
    distributions = {p.name: _distribution(p, study.trials) for p in study.parameters}
    storage = _storage(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", optuna.exceptions.ExperimentalWarning
            )  # names of metrics
            made = optuna.create_study(
                storage=storage,
                study_name=study.name,
                direction="minimize" if study.minimize else "maximize",
            )
            made.set_metric_names([study.metric])
        for key, value in {MARK: True, **study.notes}.items():
            made.set_user_attr(key, value)
        made.add_trials([_frozen(trial, study, distributions) for trial in study.trials])
    finally:
        _close(storage)


def _storage(path: Path) -> BaseStorage:
    if path.suffix in JOURNALS:
        return JournalStorage(JournalFileBackend(str(path)))
    return RDBStorage(f"sqlite:///{path}")


def _close(storage: BaseStorage) -> None:
    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def _distribution(parameter: Parameter, trials: Sequence[StudyTrial]) -> BaseDistribution:
    """Return what Optuna calls a parameter's space; it has no normal ones, and no steps on a log scale.

    Katib's own services pass over the steps, and some over more: the distribution holds whatever was tried.
    """
    if parameter.choices:
        tried_too = [
            t.assignments[parameter.name] for t in trials if parameter.name in t.assignments
        ]
        every = dict.fromkeys([*parameter.choices, *tried_too])
        return CategoricalDistribution(
            list(dict.fromkeys(_choice(parameter, value) for value in every))
        )
    tried = [v for t in trials if (v := number(t.assignments.get(parameter.name))) is not None]
    low = min([parameter.low, *tried])
    high = max([parameter.last, *tried])
    log = parameter.distribution.startswith("log")
    stepped = (
        not log and parameter.size <= MOST_STEPS and all(parameter.contains(repr(v)) for v in tried)
    )
    if parameter.kind == "int":
        step = round(parameter.step or 1) if stepped else 1
        return IntDistribution(int(low), int(high), log=log, step=step)
    return FloatDistribution(low, high, log=log, step=parameter.step if stepped else None)


def _choice(parameter: Parameter, value: str) -> str | float:
    """Return a discrete parameter's value as the number that it is, unless two would be the same."""
    if parameter.kind == "discrete":
        numbers = {float(choice) for choice in parameter.choices}
    else:
        numbers = set()
    if len(numbers) == len(parameter.choices):
        return float(value)
    return value


def _value(parameter: Parameter, text: str) -> str | float:
    if parameter.choices:
        return _choice(parameter, text)
    if parameter.kind == "int":
        return int(float(text))
    return float(text)


def _frozen(
    trial: StudyTrial, study: Study, distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    state = STATES.get(trial.state, TrialState.FAIL)
    if (
        state == TrialState.COMPLETE and trial.value is None
    ):  # to Optuna a complete trial has a number
        state = TrialState.FAIL
    valued = state in {TrialState.COMPLETE, TrialState.PRUNED}
    searched = {
        p.name: _value(p, trial.assignments[p.name])
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
        frozen.datetime_start = _local(trial.started) or frozen.datetime_start
    if state.is_finished():
        frozen.datetime_complete = _local(trial.ended) or frozen.datetime_start
    return frozen


def _local(time: datetime | None) -> datetime | None:
    """Return a time as Optuna writes it: this machine's, without a zone."""
    if time:
        return time.astimezone().replace(tzinfo=None)
    return None
