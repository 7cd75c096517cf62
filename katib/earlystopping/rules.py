"""Read a request about early stopping, and make the rule for the trials that follow it."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from katib.early_stopping import EndedTrial, StopRule, rule_after
from katib.errors import InvalidExperiment
from katib.metrics_collector import number
from katib.suggestion.messages import Message
from katib.suggestion.requests import (
    EARLY_STOPPED,
    OBJECTIVES,
    SUCCEEDED,
    in_order,
    lint_errors,
    value_of,
)
from katib.suggestion.server import M, calling

REPORTS_TIMEOUT = 20.0  # seconds, for all reports; Katib waits a minute for the rule
PARALLEL_REQUESTS = 4  # to the database


def setting_problems(early: Message) -> list[str]:
    """Return everything for which these settings would be refused, a sentence each."""
    settings = [{"name": each.name, "value": each.value} for each in early.algorithm_settings]
    spec = {"earlyStopping": {"algorithmName": early.algorithm_name, "algorithmSettings": settings}}
    return lint_errors(spec, within=("spec.earlyStopping",))


def rule_for(request: Message) -> StopRule:
    """Make the rule from the reports in Katib's database.

    The request has the final value of a trial, which Katib chose by the metric's strategy.

    Raises:
        InvalidExperiment: with all problems of the settings, when there are any.
        ClusterUnreachable: when the database does not answer in time.
    """
    spec = request.experiment.spec
    if problems := setting_problems(spec.early_stopping):
        raise InvalidExperiment("; ".join(problems))
    metric = spec.objective.objective_metric_name
    minimize = OBJECTIVES.get(spec.objective.type) != "maximize"
    trials = [
        t
        for t in in_order(request.experiment, request.trials)
        if t.status.condition in {SUCCEEDED, EARLY_STOPPED}
    ]
    reports = _read_reports(request.db_manager_address, [trial.name for trial in trials], metric)
    ended = [
        EndedTrial(trial.status.condition == SUCCEEDED, series, value_of(trial, metric))
        for trial, series in zip(trials, reports, strict=True)
    ]
    settings = {each.name: each.value for each in spec.early_stopping.algorithm_settings}
    return rule_after(spec.early_stopping.algorithm_name, settings, ended, minimize=minimize)


def _read_reports(address: str, trials: Iterable[str], metric: str) -> list[list[float]]:
    """Return each trial's finite reports of a metric, in the database's order, which is by time."""
    deadline = time.monotonic() + REPORTS_TIMEOUT
    with (
        calling(address, "DBManager", "GetObservationLog") as ask,
        ThreadPoolExecutor(PARALLEL_REQUESTS) as pool,
    ):
        try:
            return list(pool.map(partial(_read_series, ask, deadline, metric), trials))
        finally:
            pool.shutdown(cancel_futures=True)


def _read_series(
    ask: Callable[[Message, float], Message], deadline: float, metric: str, trial: str
) -> list[float]:
    request = M["GetObservationLogRequest"](trial_name=trial, metric_name=metric)
    reply = ask(request, max(deadline - time.monotonic(), 0.0))
    reports = [
        number(log.metric.value)
        for log in reply.observation_log.metric_logs
        if log.metric.name == metric
    ]
    return [report for report in reports if report is not None]
