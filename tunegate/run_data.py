"""The data of a run: what its Experiment names, what its folder remembers, and whether they agree.

Data are named once. The Experiment's own `--data` is the truth, and a run keeps it, so that no
later command needs to be given it.
"""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from katib.errors import EngineError
from katib.experiment import Experiment, with_defaults
from katib.local.run_folder import META, STATUS, newest_run
from katib.objects import JsonObject
from katib.space import Parameter
from tunegate.errors import UsageError
from tunegate.settings import Settings
from tunegate.trial_program import TrialProgram, absolute_data, read_program

FALLBACK = "boston"  # where no run tells, and nothing is named
NOTE = "tunegate"  # the key of our own notes in a run's `run.json`


@dataclass(frozen=True, slots=True)
class RunData:
    """What a run learns from.

    Attributes:
        data: a built-in data set's name, or a spec's absolute path.
        include: dropped columns that are learned from after all.
        command: the command that started the run, `run` or `tune`; empty for a run of a notebook.
    """

    data: str
    include: tuple[str, ...] = ()
    command: str = ""

    def to_notes(self) -> JsonObject:
        """Return what `run.json` keeps."""
        return {"data": self.data, "include": list(self.include), "command": self.command}


def remembered_data(run: Path, settings: Settings) -> RunData | None:
    """Return what a run learned from; None if its folder does not tell.

    Runs of earlier releases, and those of a cluster, have no notes: their Experiment tells.
    """
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        notes = json.loads((run / META).read_bytes())["notes"][NOTE]
        return RunData(str(notes["data"]), tuple(notes["include"]), str(notes["command"]))
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        document = with_defaults(json.loads((run / STATUS).read_bytes()))
        return _named_data(document, settings)
    return None


def _named_data(document: JsonObject, settings: Settings) -> RunData | None:
    """Return what the Experiment of a run names; it was checked when the run began."""
    metadata = document["metadata"]
    space = tuple(map(Parameter.from_spec, document["spec"].get("parameters", ())))
    experiment = Experiment(metadata["name"], metadata["namespace"], document, space)
    try:
        program = read_program(experiment, settings)
    except (EngineError, UsageError):
        return None
    if program.data:
        return RunData(program.data, program.include)
    return None


def with_remembered_data(settings: Settings, run: Path | None = None) -> Settings:
    """Return the settings with the data of a run, by default the newest, unless they name data.

    Where no run tells, that is the built-in data set `boston`.
    """
    if settings.data:
        return settings
    chosen = run or newest_run(settings.state / "experiments")
    found = remembered_data(chosen, settings) if chosen else None
    found = found or RunData(FALLBACK)
    return settings.replace(data=found.data, include=settings.include or found.include)


def agreed_data(experiment: Experiment, program: TrialProgram, settings: Settings) -> RunData:
    """Return what an Experiment's trials learn from, if the settings do not say otherwise.

    Args:
        experiment: for the error's message.
        program: its trials' command.
        settings: as the user gave them; their `data` may be empty.

    Raises:
        UsageError: naming both values, when they differ.
    """
    named = RunData(program.data or settings.data, settings.include or program.include)
    if not program.data:
        return replace(named, data=absolute_data(named.data))
    if settings.data and not _is_same_data(settings.data, program.data):
        raise UsageError(
            f"{experiment.name}: its trials learn from {program.data}, "
            f"the settings name {settings.data}",
            hint="leave --data out, or change it in the Experiment's command",
        )
    if settings.include and set(settings.include) != set(program.include):
        given = ", ".join(settings.include)
        found = ", ".join(program.include) or "no dropped column"
        raise UsageError(
            f"{experiment.name}: its trials include {found}, the settings name {given}",
            hint="leave --include out, or change it in the Experiment's command",
        )
    return named


def _is_same_data(one: str, other: str) -> bool:
    if one == other:
        return True
    is_file = one.endswith(".toml") and other.endswith(".toml")
    return is_file and Path(one).resolve() == Path(other).resolve()
