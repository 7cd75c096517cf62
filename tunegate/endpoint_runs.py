"""Where the Experiments of `tunegate katib` run: as `tunegate tune` would run them here."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from katib.errors import EngineError, InvalidExperiment
from katib.experiment import Experiment
from katib.local.run_folder import STATUS, read_meta
from tunegate.errors import UsageError
from tunegate.run_data import NOTE
from tunegate.settings import Settings

COMMAND = "katib"  # in the notes of a run


@dataclass(frozen=True, slots=True)
class EndpointRuns:
    """Runs below the state folder of the settings; each has an engine's process of its own."""

    settings: Settings

    def begin(self, experiment: Experiment) -> Path:
        """Make the folder of a new run, with all that an engine needs to resume it.

        Raises:
            InvalidExperiment: when its trials cannot run here, or its data cannot be used.
        """
        # Half of the endpoint's start, and only a creation needs them.
        from trainer.errors import TrainerError  # noqa: PLC0415
        from tunegate.search.local import prepare_run  # noqa: PLC0415
        from tunegate.study.checked_plan import check_plan  # noqa: PLC0415

        try:
            plan = check_plan(experiment, self.settings, command=COMMAND)
            return prepare_run(plan.workspace, experiment, plan.data)
        except (EngineError, TrainerError, UsageError) as error:
            raise InvalidExperiment(str(error), hint=error.hint) from error

    def is_own(self, folder: Path) -> bool:
        """Whether `begin` has begun a run; those of other commands are never resumed here."""
        with suppress(OSError, ValueError, LookupError, TypeError):
            meta = read_meta(folder)
            return meta is not None and bool(meta["notes"][NOTE]["command"] == COMMAND)
        return False

    def command(self, folder: Path) -> Sequence[str]:
        """Return the command that resumes the run in a folder, and ends when its stdin closes."""
        settings = self.settings
        words = ["tune", folder / STATUS, "--resume", "--until-eof"]
        words += ["--state", settings.state]
        if settings.store:
            words += ["--store", settings.store]
        if settings.cpus:
            words += ["--cpus", settings.cpus]
        for option, pairs in (("--mount", settings.mounts), ("--image", settings.images)):
            for name, value in pairs.items():
                words += [option, f"{name}={value}"]
        return [sys.executable, "-m", "tunegate", *map(str, words)]
