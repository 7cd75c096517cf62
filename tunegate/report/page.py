"""One HTML file that shows a run and its decision; it needs nothing else, not even a network."""

import html
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from katib.diagnosis.local_run import run_failures
from katib.local.run_folder import read_run
from promote.verdict import ModelSummary, Verdict
from registry.atomic_files import write_atomic
from registry.errors import RegistryError
from registry.package import ModelPackage
from trainer.errors import TrainerError
from trainer.findings import Finding
from tunegate.errors import UsageError
from tunegate.report.decision import (
    decision_sections,
    history_table,
    judged_models,
    verdict_section,
)
from tunegate.report.look import whole_page
from tunegate.report.search import search_sections
from tunegate.watch.board import kept_run
from tunegate.workspace import Workspace

Section = tuple[str, str]  # a title, and HTML


def write_report(workspace: Workspace, target: Path) -> Path:
    """Write the report of the newest run, and of the latest verdict if there is one, to `target`.

    Raises:
        UsageError: when there is no run, or its status is damaged.
        StoreError: when the file cannot be written.
    """
    run = workspace.last_run()
    experiment, board = kept_run(run)
    searched = search_sections(experiment, board, run_failures(read_run(run)))
    decided: list[Section] = []
    identity = run_identity(board.name, board.began)
    try:
        verdict = workspace.latest_verdict()
    except UsageError as error:
        title = experiment.name
        head = f"<p>Not judged: {html.escape(f'{error}; {error.hint}')}.</p>"
    else:
        title = f"{experiment.name}: {verdict.verdict}"
        head = verdict_section(verdict)
        decided = [*_model_sections(workspace, verdict), *decision_sections(verdict)]
        decided.append(("History", _history(workspace)))
        identity = run_identity(verdict.model or board.name, board.began)
    sections = [*decided, *searched]
    body = "".join(f"<h2>{name}</h2>{content}" for name, content in sections if content)
    write_atomic(target, whole_page(title, identity, head + body).encode())
    return target


def _history(workspace: Workspace) -> str:
    try:
        return history_table(workspace.history(), workspace.challenges())
    except RegistryError as error:  # a report of a run must not need the ledger
        return f"<p>Not read: {html.escape(str(error))}.</p>"


def run_identity(name: str, began: datetime | None) -> str:
    """Return the line below the title: the data set, or the Experiment, and the run's date."""
    if began is None:
        return name
    return f"{name}, run of {began:%d %B %Y, %H:%M} UTC"


def _model_sections(workspace: Workspace, verdict: Verdict) -> list[Section]:
    """Return what the data say of the models; nothing if they are not those of the verdict."""
    from trainer.dataset import load_dataset  # noqa: PLC0415 - imports scikit-learn
    from tunegate.report.data import data_profile  # noqa: PLC0415 - as above
    from tunegate.report.scores import (  # noqa: PLC0415 - as above
        column_importances,
        holdout_errors,
        score_table,
    )

    try:
        dataset = load_dataset(workspace.settings.data, include=workspace.settings.include)
    except TrainerError as error:
        return [("Data", f"<p>Not read: {html.escape(str(error))}.</p>")]
    findings: Sequence[Finding] = dataset.findings
    packages = dict[str, ModelPackage]()
    if dataset.fingerprint == verdict.fingerprint:
        for role, model in judged_models(verdict):
            package = _named_package(workspace, model)
            if package and not package.outside:
                packages[role] = package
    importances = ""
    if "candidate" in packages:
        importances = column_importances(packages["candidate"].manifest)
    errors = "Residuals on the holdout"
    if dataset.classes:
        errors = "Confusion matrix on the holdout"
    return [
        ("Scores", score_table(dataset, packages)),
        (errors, holdout_errors(dataset, packages)),
        ("Which columns matter", importances),
        ("Data", data_profile(dataset, findings)),
    ]


def _named_package(workspace: Workspace, model: ModelSummary) -> ModelPackage | None:
    try:
        return workspace.store.open(model.sha256)
    except RegistryError:
        package = workspace.trial_package(model.trial)
        if isinstance(package, ModelPackage) and package.digest == model.sha256:
            return package
        return None
