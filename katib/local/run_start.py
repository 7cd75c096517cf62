"""What a run is started with: written before its first trial, and changed in its counts alone."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from katib.experiment import Experiment
from katib.local.run_folder import write_meta
from katib.objects import JsonObject
from katib.space import TrialRecord


def begin_run(
    folder: Path,
    experiment: Experiment,
    *,
    started: str,
    first: Mapping[str, object],
    earlier: Sequence[TrialRecord],
    notes: JsonObject,
) -> JsonObject:
    """Write what decides a new run's trials, so that an engine can start or resume it.

    Args:
        folder: the run's folder.
        experiment: what is to be run.
        started: the time, ISO 8601 in UTC.
        first: hyperparameters of the first trial, by name.
        earlier: complete trials of earlier runs, for the sampler to learn from.
        notes: what the caller keeps with the run.

    Raises:
        EngineError: when the file cannot be written.
    """
    seed = experiment.seed
    if seed is None:
        seed = secrets.randbelow(2**31)
    meta = {
        "digest": experiment.digest,
        "seed": seed,
        "first": dict(first),
        "earlier": [(dict(trial.assignments), trial.value) for trial in earlier],
        "started": started,
        "experiment": experiment.written,
        "notes": notes,
    }
    write_meta(folder, meta)
    return meta


def change_counts(folder: Path, meta: JsonObject, experiment: Experiment) -> JsonObject:
    """Write the Experiment with its changed counts to what a run was started with; return that.

    Raises:
        EngineError: when the file cannot be written.
    """
    changed = {**meta, "digest": experiment.digest, "experiment": experiment.written}
    write_meta(folder, changed)
    return changed
