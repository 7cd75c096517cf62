"""One search over families of models: parameters that exist for one family only.

Katib's search spaces cannot say so, so the names do. Where a categorical parameter is called
`model`, a parameter whose name begins with one of its values and `_` has an effect only where the
model has that value: `lightgbm_learning_rate` where `model` is `lightgbm`. All other parameters
have an effect for each model. Every trial has a value of every parameter all the same.
"""

from collections.abc import Mapping, Sequence

MODEL = "model"


def sklearn_name(name: str) -> str:
    """Return a parameter's name as scikit-learn has it: `--max-depth` is `max_depth`."""
    return name.strip("-").replace("-", "_")


def model_parameter(choices: Mapping[str, Sequence[str]]) -> str:
    """Return the name of the parameter that chooses the family; empty if there is none.

    Args:
        choices: the listed values of each parameter of the space, none for a range.
    """
    return next((name for name in choices if choices[name] and sklearn_name(name) == MODEL), "")


def family_parameters(choices: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Return the parameters of one family only: name to (the family, the rest of the name).

    Of `gradient_boosting` and `gradient_boosting_dart`, the longer that fits counts.

    Args:
        choices: the listed values of each parameter of the space, none for a range.
    """
    parent = model_parameter(choices)
    families = sorted(choices.get(parent, ()), key=len, reverse=True)
    found = dict[str, tuple[str, str]]()
    for name in choices:
        for family in families:
            prefix = f"{sklearn_name(family)}_"
            if name != parent and sklearn_name(name).startswith(prefix):
                found[name] = (family, sklearn_name(name).removeprefix(prefix))
                break
    return found
