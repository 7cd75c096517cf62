"""Write a run as an Optuna study, for optuna-dashboard."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from katib.local.run_folder import held, read_run
from katib.search.optuna_study import Study, StudyTrial, write_study
from tunegate.watch.board import Row, kept_run
from tunegate.workspace import Workspace


def export_study(workspace: Workspace, experiment: str | None, target: Path) -> Study:
    """Write the newest run, of one Experiment or of any, as a study of the Experiment's name.

    Raises:
        UsageError: when there is no run, or its status is damaged.
        EngineError: when the file holds anything else, or cannot be written.
    """
    study = read_study(workspace.last_run(experiment))
    write_study(study, target)
    return study


def read_study(run: Path) -> Study:
    """Return a run as a study; raises as `export_study` does."""
    experiment, seen = kept_run(run)
    # A trial that an interrupted run has left behind runs nowhere: it is the next one, should the run be gone on with.
    rows = seen.rows
    if not held(run):
        rows = tuple(_laid_by(row) for row in seen.rows)
    reports = {trial.name: trial.series for trial in read_run(run).trials}
    return Study(
        name=experiment.name,
        metric=experiment.metric,
        minimize=experiment.minimize,
        parameters=experiment.parameters,
        trials=[_told(row, reports.get(row.name, ())) for row in rows],
        notes={
            "run": str(run),
            "algorithm": experiment.algorithm,
            "namespace": experiment.namespace,
        },
    )


def _laid_by(row: Row) -> Row:
    if row.state == "Running":
        return replace(row, state="Created", began=None)
    return row


def _told(row: Row, reports: tuple[float, ...]) -> StudyTrial:
    notes: dict[str, Any] = {"trial": row.name, "state": row.state, **row.others}
    if row.value is None and row.message:
        notes["message"] = row.message
    return StudyTrial(row.assignments, row.state, row.value, row.began, row.ended, reports, notes)
