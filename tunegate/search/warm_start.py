"""Collect the results of earlier runs of an Experiment for the sampler of the next one."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from katib.experiment import Experiment, with_defaults
from katib.local.run_folder import read_objects, runs
from katib.objects import Ranked, rank
from katib.space import TrialRecord
from tunegate.settings import Settings
from tunegate.workspace import Workspace

SAME = ("objective", "trialTemplate", "metricsCollectorSpec")


def earlier_trials(workspace: Workspace, experiment: Experiment) -> list[TrialRecord]:
    """Return the trials of earlier runs whose objective means the same, each point once.

    That is, the run had this objective and this trial template, and the trial's model was made from
    the data as they are now.
    """
    fingerprint = cache(lambda: _data_fingerprint(workspace.settings))
    names = {p.name for p in experiment.parameters}
    found = {
        tuple(sorted(trial.assignments.items())): TrialRecord(
            trial.assignments, "complete", trial.value
        )
        for trial in _ranked_earlier(workspace, experiment)
        if trial.assignments.keys() == names
        and _package_fingerprint(workspace.store.trial(trial.trial)) == fingerprint()
    }
    return list(found.values())


def _ranked_earlier(workspace: Workspace, experiment: Experiment) -> Iterator[Ranked]:
    for run in runs(workspace.experiments, experiment.name):
        try:
            found, trials = read_objects(run)
            spec = with_defaults(found)["spec"]
            if all(spec.get(part) == experiment.spec.get(part) for part in SAME):
                yield from rank(trials)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # it never began, or is damaged


def _data_fingerprint(settings: Settings) -> str:
    from trainer.dataset import load_dataset  # noqa: PLC0415 - scikit-learn and pandas take seconds to import

    return load_dataset(settings.data, include=settings.include).fingerprint


def _package_fingerprint(package: Path) -> str:
    try:
        return str(json.loads((package / "manifest.json").read_bytes())["fingerprint"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
