"""Hyperparameters as text: their names and flags, and how values that were given are checked.

Each has two names: `learning_rate` is that of the chosen learner, `lightgbm_learning_rate` that of
LightGBM alone. The latter may be given for any learner, as Katib, which has no conditional
parameters, gives all of them to each trial of a search over several; those of others are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError

from trainer.errors import ParameterError
from trainer.learners import LEARNERS, Given, Hyperparameters, find_learner_by_name


def hyperparameter_names() -> list[str]:
    """Return the field names of all learners, each once."""
    names = (name for learner in LEARNERS.values() for name in learner.parameters.model_fields)
    return list(dict.fromkeys(names))


def family_names() -> dict[str, tuple[str, str]]:
    """Return the names with a learner's in front: name to (the learner, the parameter)."""
    return {
        f"{learner.name}_{name}": (learner.name, name)
        for learner in LEARNERS.values()
        for name in learner.parameters.model_fields
    }


def values_of_learner(
    algorithm: str, values: Mapping[str, Given]
) -> tuple[dict[str, Given], list[str]]:
    """Return the learner's values by its own field names, and which learners' were left out.

    A name with the learner's in front counts more than the one without.

    Args:
        algorithm: the chosen learner.
        values: as text or typed, by either name.

    Raises:
        ParameterError: when a value of any learner's own is not allowed.
    """
    of_families = family_names()
    own: dict[str, dict[str, Given]] = {}
    for full_name, value in values.items():
        if full_name in of_families:
            learner, name = of_families[full_name]
            own.setdefault(learner, {})[name] = value
    for learner, given in own.items():
        names = {flag_name(name): flag_name(f"{learner}_{name}") for name in given}
        with renamed_errors(names):
            parse_hyperparameters(learner, given)
    plain = {name: value for name, value in values.items() if name not in of_families}
    ignored = [learner for learner in own if learner != algorithm]
    return {**plain, **own.get(algorithm, {})}, ignored


@contextmanager
def renamed_errors(names: Mapping[str, str]) -> Iterator[None]:
    """Let errors about a flag name what it was given by: flag to the other name."""
    try:
        yield
    except ParameterError as error:
        message = re.sub(
            r"--[A-Za-z0-9-]+(?=:)", lambda match: names.get(match[0], match[0]), str(error)
        )
        raise ParameterError(message, hint=error.hint) from error


def hyperparameter_help() -> dict[str, str]:
    """Return what each hyperparameter may be, by its name; learners that agree share a text."""
    texts: dict[str, dict[str, list[str]]] = {}
    for learner in LEARNERS.values():
        for name, field in learner.parameters.model_fields.items():
            by_text = texts.setdefault(name, {})
            by_text.setdefault(str(field.description), []).append(learner.name)
    return {
        name: "; ".join(f"{', '.join(names)}: {text}" for text, names in by_text.items())
        for name, by_text in texts.items()
    }


def flag_name(name: str) -> str:
    """Return the command line's flag of a hyperparameter."""
    return "--" + name.replace("_", "-")


def parse_hyperparameters(algorithm: str, values: dict[str, Given]) -> Hyperparameters:
    """Check values, as text or typed, given by the learner's field names.

    Raises:
        ParameterError: when there is no such learner; or naming each flag that is wrong, with what
            is allowed.
    """
    kind = find_learner_by_name(algorithm).parameters
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        names = list(dict.fromkeys(str(e["loc"][0]) for e in error.errors()))
        raise ParameterError(
            "; ".join(_explain_refusal(kind, algorithm, name, values) for name in names)
        ) from error


def _explain_refusal(
    kind: type[Hyperparameters], algorithm: str, name: str, values: dict[str, Given]
) -> str:
    flag = flag_name(name)
    if name not in kind.model_fields:
        return f"{flag}: not a parameter of {algorithm}"
    return f"{flag}: {values[name]!r} is not allowed: {kind.model_fields[name].description}"
