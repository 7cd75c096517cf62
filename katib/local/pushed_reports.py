"""Metrics that trials push themselves: Katib's DBManager next to the engine, and how it is found.

gRPC is imported only when an Experiment's collector is Push.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from katib.errors import EngineError
from katib.experiment import Experiment
from katib.reports import LoggedReport, read_reports, trial_file

FOR_TRIALS = Path(__file__).parents[1] / "db_manager" / "for_trials"  # see its sitecustomize
ADDRESS = "TUNEGATE_DB_MANAGER"
NAMESPACE = "TUNEGATE_NAMESPACE"


@dataclass(slots=True)
class TrialReports:
    """The observation logs of a run's trials, in their folders.

    Attributes:
        trials: the folder of the trials' folders.
    """

    trials: Path
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def read(self, trial: str) -> list[LoggedReport]:
        """Return what a trial has reported, in order; raises Missing for an unknown trial."""
        return read_reports(trial_file(self.trials, trial))

    def append(self, trial: str, reports: Sequence[LoggedReport]) -> None:
        """Add reports; raises Missing for an unknown trial."""
        path = trial_file(self.trials, trial)
        with self._writing, path.open("ab") as file:
            file.write(b"".join(report.to_line() for report in reports))

    def delete(self, trial: str) -> None:
        """Delete a trial's reports; raises Missing for an unknown trial."""
        path = trial_file(self.trials, trial)
        with self._writing:
            path.unlink(missing_ok=True)


@contextmanager
def reports_taken(experiment: Experiment, trials: Path) -> Iterator[str]:
    """Take what trials push while the block runs; yields the address, empty if none push.

    Args:
        experiment: the Experiment.
        trials: the folder of the trials' folders.

    Raises:
        EngineError: when gRPC is not installed.
    """
    if not experiment.pushes:
        yield ""
        return
    try:
        from katib.db_manager.service import serving_reports  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the collector Push needs gRPC, and {error.name} is not installed",
            hint="pip install 'tunegate[grpc]'",
        ) from error
    with serving_reports(TrialReports(trials)) as address:
        yield address


def push_environment(address: str, namespace: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return what a trial's environment gets so that `report_metrics` finds the DBManager.

    Args:
        address: of the DBManager.
        namespace: the trial's.
        env: the variables that the trial has already.
    """
    path = env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    paths = [str(FOR_TRIALS), *filter(None, [path])]
    return {ADDRESS: address, NAMESPACE: namespace, "PYTHONPATH": os.pathsep.join(paths)}
