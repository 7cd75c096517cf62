"""A search and what became of it, read from its folder: the same files as the command line's."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from katib.experiment import Experiment
from katib.local.run_folder import newest_run, read_objects
from katib.objects import JsonObject, message, state
from katib.sdk_objects import to_sdk_experiment
from promote.verdict import Verdict
from registry.package import ModelPackage, load_package
from tunegate.errors import UsageError
from tunegate.promotion.candidates import Contenders, ranked_trials
from tunegate.promotion.decision import Decision
from tunegate.search.local import begun_experiment, tune_locally
from tunegate.settings import load_settings
from tunegate.study.candidacy import Candidacy
from tunegate.study.checked_plan import PlannedSearch
from tunegate.study.html import study_html
from tunegate.study.planning import prepare_resumption
from tunegate.watch.board import Board, kept_run
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from kubeflow.katib import V1beta1Experiment


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The trial that ranks first.

    Attributes:
        name: its name, also of its model package in the store.
        value: the objective.
        parameters: what the search chose, as numbers where they are numbers.
        metrics: all metrics that it printed, by name.
    """

    name: str
    value: float
    parameters: dict[str, float | str]
    metrics: dict[str, float]


class Study:
    """One run of an Experiment: its trials, its verdict, and the way into production.

    Everything is read from the run's folder when it is looked at, so a study shows what any other
    process, such as the command line, has done with the run meanwhile.

    Example:
        >>> study = tg.tune("houses.csv", target="price", trials=20)
        >>> study.best.parameters
        >>> study.promote()

    Attributes:
        workspace: the store, the ledger and the settings.
        folder: the run's folder.
    """

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace = workspace.of_run(folder)
        self.folder = folder

    @classmethod
    def newest(cls, experiment: str = "", *, state: str | Path | None = None) -> "Study":
        """Return the newest run of an Experiment, or of any; also one of the command line.

        Raises:
            UsageError: when there is none.
        """
        workspace = Workspace(load_settings(state=state))
        return cls(workspace, workspace.last_run(experiment))

    @property
    def experiment(self) -> Experiment:
        """The Experiment that was run."""
        return kept_run(self.folder)[0]

    @property
    def trials(self) -> "pd.DataFrame":
        """One row a trial, in the order in which they were asked for.

        Columns: `trial`, `status`, each parameter, each metric, `seconds`. Numbers are numbers;
        what a trial has not reported is missing.
        """
        import pandas as pd  # noqa: PLC0415 - half a second

        experiment, board = kept_run(self.folder)
        now = datetime.now(UTC)
        names = [parameter.name for parameter in experiment.parameters]
        rows = [
            {
                "trial": row.name,
                "status": row.state,
                **{name: _as_number(row.assignments.get(name, "")) for name in names},
                experiment.metric: row.value,
                **{metric: row.others.get(metric) for metric in experiment.metrics[1:]},
                "seconds": row.seconds(now),
            }
            for row in board.rows
        ]
        columns = ["trial", "status", *names, *experiment.metrics, "seconds"]
        return pd.DataFrame(rows, columns=list(dict.fromkeys(columns)))

    @property
    def best(self) -> BestTrial:
        """The trial that ranks first.

        Raises:
            NoCandidate: when no trial has succeeded with a finite objective.
        """
        first = ranked_trials(self.workspace, self.folder)[0]
        experiment, board = kept_run(self.folder)
        row = next(row for row in board.rows if row.name == first.trial)
        return BestTrial(
            name=first.trial,
            value=first.value,
            parameters={name: _as_number(text) for name, text in row.assignments.items()},
            metrics={experiment.metric: first.value, **row.others},
        )

    @property
    def succeeded(self) -> bool:
        """Whether the search has come to a good end."""
        return state(self.status) == "Succeeded"

    @property
    def status(self) -> JsonObject:
        """The Experiment with its status, as Katib would show it."""
        return read_objects(self.folder)[0]

    @property
    def message(self) -> str:
        """How the search ended, in a sentence."""
        return message(self.status)

    @property
    def package(self) -> ModelPackage:
        """The best trial's model package, verified.

        Raises:
            NoCandidate: when no trial has succeeded.
            PackageError: when the trial left no package, or a damaged one.
        """
        return load_package(self.workspace.store.trial(self.best.name))

    @property
    def verdict(self) -> Verdict | None:
        """The gate's latest verdict, if it is about this run; None before one."""
        try:
            latest = self.workspace.latest_verdict()
        except UsageError:
            return None
        names = {row.name for row in self._board.rows}
        if latest.candidate and latest.candidate.trial in names:
            return latest
        return None

    def plot(self) -> "go.Figure":
        """Return the search's history as a plotly figure, the same as in the report."""
        from tunegate.report.search import history_figure  # noqa: PLC0415 - imports plotly

        return history_figure(*kept_run(self.folder))

    def to_katib(self) -> "V1beta1Experiment":
        """Return the Experiment with its status as an object of the package `kubeflow-katib`.

        For `kubeflow-katib-api`, `V1beta1Experiment.from_dict(study.status)` is the same.

        Raises:
            UsageError: when `kubeflow-katib` is not installed.
        """
        try:
            return to_sdk_experiment(self.status)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"{error.name} is not installed", hint="pip install kubeflow-katib"
            ) from error

    def contenders(self) -> Contenders:
        """Return the packages that may become the candidate, best first.

        Raises:
            NoCandidate: when there is none.
        """
        return self._candidacy.contenders

    def judge(self) -> Verdict:
        """Judge the best trials against what is in production; nothing there changes.

        Raises:
            NoCandidate: when no trial has succeeded, or none has left a package.
        """
        return self._candidacy.judge()

    def promote(
        self, *, url: str = "", allow_new_data: bool = False, allow_schema_change: bool = False
    ) -> Decision:
        """Judge the best trials and, where the gate says so, bring one into production.

        Args:
            url: a running server to smoke-test; by default the settings', or none.
            allow_new_data: compare although the champion was trained on other data.
            allow_schema_change: compare although the columns differ from the champion's.

        Returns:
            The verdict, and what is in production after it.

        Raises:
            NoCandidate: when no trial has succeeded, or none has left a package.
            SmokeFailed: when the server did not answer as it should; the promotion was reverted.
            Conflict, InFlight: when another promotion was faster.
        """
        gate = self.workspace.settings.gate
        policy = gate.replace(
            allow_new_data=allow_new_data or gate.allow_new_data,
            allow_schema_change=allow_schema_change or gate.allow_schema_change,
        )
        return self._candidacy.promote(policy, url=url)

    def resume(self, *, seconds: float | None = None) -> "Study":
        """Run the trials that are left of an interrupted search; returns the same run's study.

        Args:
            seconds: for how long trials may start; no limit if None, whatever the limit was before.

        Raises:
            UsageError: when a newer run of the Experiment exists, or this one has ended.
        """
        name = self.folder.parent.name
        newest = newest_run(self.workspace.experiments, name)
        if newest != self.folder:
            raise UsageError(
                f"{self.folder} is not the newest run of {name}", hint=f"resume {newest} instead"
            )
        settings = self.workspace.given.replace(time=seconds)
        return run_search(prepare_resumption(begun_experiment(self.folder), settings))

    @property
    def _candidacy(self) -> Candidacy:
        return Candidacy.find(self.workspace, run=self.folder)

    @property
    def _board(self) -> Board:
        return kept_run(self.folder)[1]

    def __repr__(self) -> str:
        return f"<Study {self.folder}: {self.message}>"

    def _repr_html_(self) -> str:
        return study_html(self._board, self.verdict)


def run_search(plan: PlannedSearch) -> Study:
    """Run a planned search to its end.

    Raises:
        UsageError: when there is nothing to resume.
        EngineError: when the run cannot start or continue.
        KeyboardInterrupt: when it is interrupted; the run can be resumed.
    """
    result = tune_locally(plan.workspace, plan.experiment, resume=plan.resume, data=plan.data)
    return Study(plan.workspace, result.folder)


def _as_number(text: str) -> float | str:
    """Return a parameter's value as a number where it is one: an integer without a fraction."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
