"""Hyperparameters from the environment, as Kubeflow Trainer's OptimizationJob hands them out.

Source: kubeflow/trainer, proposals/2605-optimization-job-crd: a parameter `max_depth` comes as the variable
`KUBEFLOW_TRAINER_OPT_MAX_DEPTH`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from trainer.errors import ParameterError
from trainer.hyperparameters import LEARNERS

PREFIX = "KUBEFLOW_TRAINER_OPT_"


def hyperparameters(environment: Mapping[str, str]) -> dict[str, str]:
    """Return values by field name, as text.

    Raises:
        ParameterError: naming each variable with the prefix that is no hyperparameter of any learner.
    """
    known = {variable(name): name for learner in LEARNERS.values() for name in learner.model_fields}
    given = sorted(name for name in environment if name.startswith(PREFIX))
    if unknown := [name for name in given if name not in known]:
        hint = f"known: {', '.join(name.removeprefix(PREFIX) for name in known)}"
        raise ParameterError(f"{', '.join(unknown)}: not a hyperparameter", hint=hint)
    return {known[name]: environment[name] for name in given}


def variable(name: str) -> str:
    """Return the variable of a hyperparameter."""
    return PREFIX + name.upper()


@contextmanager
def blamed(names: Iterable[str]) -> Iterator[None]:
    """Let an error name the variables of these hyperparameters instead of their flags."""
    variables = {"--" + name.replace("_", "-"): variable(name) for name in names}
    try:
        yield
    except ParameterError as error:
        said = re.sub(r"--[a-z-]+(?=:)", lambda match: variables.get(match[0], match[0]), str(error))
        raise ParameterError(said, hint=error.hint) from error
