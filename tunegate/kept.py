"""A run as it was kept: its Experiment and its trials, for whoever shows them later."""

from pathlib import Path

from katib.experiment import Experiment, with_defaults
from katib.localrun import read_objects
from katib.space import Parameter
from tunegate.errors import UsageError
from tunegate.watch_board import Board, board


def kept_run(run: Path) -> tuple[Experiment, Board]:
    """Return a run's Experiment and trials. Once it has run, here or on a cluster, nothing in it is checked again.

    Raises:
        UsageError: when its status is damaged.
    """
    try:
        found, trials = read_objects(run)
        document = with_defaults({key: value for key, value in found.items() if key != "status"})
        metadata, parameters = document["metadata"], document["spec"].get("parameters", ())
        space = tuple(map(Parameter.from_spec, parameters))
        experiment = Experiment(metadata["name"], metadata["namespace"], document, space, document)
        return experiment, board(found, trials, where=str(run), local=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{run}: its status is damaged", hint="`tunegate doctor` says what can be done") from error
