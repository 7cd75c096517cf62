"""Write a run as an Optuna study, for optuna-dashboard."""

from dataclasses import replace
from pathlib import Path

from katib.local.run_folder import is_running, read_run
from katib.search.optuna_study import Study, StudyTrial, write_study
from tunegate.watch.board import Row, kept_run
from tunegate.workspace import Workspace


def export_newest_run(workspace: Workspace, experiment: str | None, target: Path) -> Study:
    """Write the newest run, of one Experiment or of any, as a study with the Experiment's name.

    Raises:
        UsageError: when there is no run, or its status is damaged.
        EngineError: when the file holds anything else, or cannot be written.
    """
    study = read_study(workspace.last_run(experiment))
    write_study(study, target)
    return study


def read_study(run: Path) -> Study:
    """Return a run as a study; raises as `export_newest_run` does."""
    experiment, seen = kept_run(run)
    # A trial that was running when its run was interrupted is queued: it is the next one if the run
    # is resumed.
    rows = seen.rows
    if not is_running(run):
        rows = tuple(_queued_again(row) for row in seen.rows)
    reports = {trial.name: trial.series for trial in read_run(run).trials}
    return Study(
        name=experiment.name,
        metric=experiment.metric,
        minimize=experiment.minimize,
        parameters=experiment.parameters,
        trials=[_to_study_trial(row, reports.get(row.name, ())) for row in rows],
        notes={
            "run": str(run),
            "algorithm": experiment.algorithm,
            "namespace": experiment.namespace,
        },
    )


def _queued_again(row: Row) -> Row:
    if row.state == "Running":
        return replace(row, state="Created", began=None)
    return row


def _to_study_trial(row: Row, reports: tuple[float, ...]) -> StudyTrial:
    notes: dict[str, object] = {"trial": row.name, "state": row.state, **row.others}
    if row.value is None and row.message:
        notes["message"] = row.message
    return StudyTrial(row.assignments, row.state, row.value, row.began, row.ended, reports, notes)
