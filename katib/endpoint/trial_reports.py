"""What trials of all runs have reported, for `KatibClient.get_trial_metrics`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from katib.errors import Missing, Refused
from katib.local.run_folder import read_objects, runs
from katib.objects import JsonObject
from katib.reports import NAME, LoggedReport, read_reports, trial_file


@dataclass(frozen=True, slots=True)
class RunReports:
    """The observation logs of all runs' trials; they are read only.

    Attributes:
        root: the folder of all Experiments' runs.
    """

    root: Path

    def read(self, trial: str) -> list[LoggedReport]:
        """Return what a trial of the newest run that has it has reported, in order.

        Where no reports are kept, as of a trial that ran on a cluster, it is the latest value of
        each metric.

        Raises:
            Missing: when no run has such a trial.
        """
        experiment = trial.rpartition("-")[0]
        known = runs(self.root, experiment) if experiment and NAME.fullmatch(trial) else []
        for run in reversed(known):
            try:
                if found := read_reports(trial_file(run / "trials", trial)):
                    return found
            except (Missing, OSError):
                pass  # its objects may still have it
            if (document := _find_trial(run, trial)) is not None:
                return _latest_values(document)
        raise Missing(f"there is no trial {trial[:80]!r}")

    def append(self, trial: str, reports: Sequence[LoggedReport]) -> None:
        """Refuse; a trial's own engine takes its reports."""
        raise Refused(f"{len(reports)} reports of {trial[:80]!r}: only its engine takes them")

    def delete(self, trial: str) -> None:
        """Refuse; reports are deleted with their Experiment."""
        raise Refused(f"reports of {trial[:80]!r} are deleted with their Experiment alone")


def _find_trial(run: Path, name: str) -> JsonObject | None:
    """Return a Trial as its run's files show it; None if they do not, or cannot be read."""
    try:
        _, trials = read_objects(run)
        return next((each for each in trials if each["metadata"]["name"] == name), None)
    except (OSError, ValueError, LookupError, TypeError):
        return None  # `tunegate doctor` says what is damaged


def _latest_values(trial: JsonObject) -> list[LoggedReport]:
    status = trial.get("status") or {}
    metrics = (status.get("observation") or {}).get("metrics") or ()
    ended = status.get("completionTime") or status.get("startTime") or ""
    return [LoggedReport(ended, each["name"], each.get("latest", "")) for each in metrics]
