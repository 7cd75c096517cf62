"""Hyperparameters as text: their names and flags, and how values that were given are checked."""

from pydantic import ValidationError

from trainer.errors import ParameterError
from trainer.learners import LEARNERS, Given, Hyperparameters, find_learner_by_name


def hyperparameter_names() -> list[str]:
    """Return the field names of all learners, each once."""
    names = (name for learner in LEARNERS.values() for name in learner.parameters.model_fields)
    return list(dict.fromkeys(names))


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
