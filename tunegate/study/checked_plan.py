"""A search that can begin: its trials' command and its data are checked against the settings.

Free of pandas, which finding out about tables needs, so that the endpoint stays small.
"""

from dataclasses import dataclass

from katib.experiment import Experiment
from trainer.errors import DataError
from trainer.spec import load_spec
from tunegate.console import say
from tunegate.run_data import FALLBACK, RunData, agreed_data
from tunegate.settings import Settings
from tunegate.trial_program import TrialProgram, read_program
from tunegate.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """A search that can begin.

    Attributes:
        workspace: where its run and its packages go; its settings name the Experiment's data.
        experiment: what to run.
        data: what the run remembers.
        program: the trials' command.
        resume: whether to resume the newest run instead of a new one.
    """

    workspace: Workspace
    experiment: Experiment
    data: RunData
    program: TrialProgram
    resume: bool = False


def check_plan(
    experiment: Experiment, settings: Settings, *, command: str, resume: bool = False
) -> PlannedSearch:
    """Check an Experiment and its data against the settings.

    Args:
        experiment: what is to be run.
        settings: where everything is kept.
        command: which command begins the search.
        resume: whether to resume the newest run instead of a new one.

    Raises:
        UsageError: when the settings contradict the Experiment.
        EngineError: when its command reads something that does not exist on this machine.
        DataError: when its data do not exist.
    """
    program = read_program(experiment, settings)
    agreed = agreed_data(experiment, program, settings)
    if program.data:
        _check_data(experiment, program)
    data = RunData(agreed.data, agreed.include, command)
    workspace = Workspace(settings.replace(data=agreed.data or FALLBACK, include=agreed.include))
    if not program.writes_package:
        say(
            f"note: {experiment.name}: its trials write no model packages to the store: search, "
            "report and watch work; gate and server need packages, as `python -m trainer` writes, "
            "and the gate takes `--evidence` too (docs/models.md)"
        )
    return PlannedSearch(workspace, experiment, data, program, resume)


def _check_data(experiment: Experiment, program: TrialProgram) -> None:
    """Refuse data that no trial could read.

    Raises:
        DataError: naming the file.
    """
    spec = load_spec(program.data).including(program.include)
    source = spec.source
    is_local = "://" not in source and not source.startswith("sklearn:")
    path = spec.folder / source
    if is_local and not any(mark in source for mark in "*?[") and not path.exists():
        raise DataError(
            f"{experiment.name}: its trials learn from {program.data}; {path}: no such file",
            hint="`source` is relative to the TOML file",
        )
