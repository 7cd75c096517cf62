"""Parameters that have an effect only where another one has certain values.

Katib's search spaces cannot say so. The algorithm's setting `conditions` says it as JSON:
`{"max_samples": {"bootstrap": ["true"]}}` means that `max_samples` is active where `bootstrap` is
true. Elsewhere it is inactive, and has one and the same value in every trial. Parameters of one
family of models say so by their names, see `families`; where the setting names one of them, the
setting counts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from katib.errors import InvalidExperiment
from katib.search.families import family_parameters, model_parameter
from katib.space import Assignments, Parameter

EXAMPLE = '{"max_samples": {"bootstrap": ["true"]}}'


@dataclass(frozen=True, slots=True)
class Condition:
    """`child` is active where `parent` has one of `values`."""

    child: str
    parent: str
    values: frozenset[str]


def read_conditions(text: str, choices: Mapping[str, Sequence[str]]) -> tuple[Condition, ...]:
    """Read the setting.

    Args:
        text: JSON; empty for no conditions.
        choices: the listed values of each parameter of the space, none for a range.

    Raises:
        InvalidExperiment: when it makes no sense in this space.
    """
    try:
        found = tuple(
            Condition(child, parent, _read_values(values))
            for child, rule in json.loads(text or "{}").items()
            for parent, values in rule.items()
        )
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidExperiment(f"conditions: not of the form {EXAMPLE}") from error
    for condition in found:
        _check_condition(condition, found, choices)
    return found


def conditions_of(
    settings: Mapping[str, str], parameters: Iterable[Parameter]
) -> tuple[Condition, ...]:
    """Return those of an algorithm's settings, see `read_conditions`, and those of the names."""
    choices = {p.name: p.choices for p in parameters}
    stated = read_conditions(settings.get("conditions", ""), choices)
    children = {condition.child for condition in stated}
    parent = model_parameter(choices)
    named = (
        Condition(name, parent, frozenset({family}))
        for name, (family, _) in family_parameters(choices).items()
        if name not in children
    )
    return (*stated, *named)


def inactive_names(point: Mapping[str, str], conditions: Sequence[Condition]) -> set[str]:
    """Return the names of the parameters that have no effect at this point.

    A parameter without effect takes those that depend on it with it.
    """
    inactive = {c.child for c in conditions if point[c.parent] not in c.values}
    return inactive | {c.child for c in conditions if c.parent in inactive}


def fix_inactive(
    point: Mapping[str, str], conditions: Sequence[Condition], space: Mapping[str, Parameter]
) -> Assignments:
    """Return the point with each inactive parameter in the middle of its range."""
    fixed = {name: space[name].from_unit(0.5) for name in inactive_names(point, conditions)}
    return {**point, **fixed}


def _read_values(values: object) -> frozenset[str]:
    listed = values if isinstance(values, list) else [values]
    if not all(isinstance(value, str) for value in listed):
        raise TypeError
    return frozenset(listed)


def _check_condition(
    condition: Condition, others: Sequence[Condition], choices: Mapping[str, Sequence[str]]
) -> None:
    child = condition.child
    parent = condition.parent
    if missing := [name for name in (child, parent) if name not in choices]:
        raise InvalidExperiment(f"conditions: there is no parameter {missing[0]}")
    if not condition.values:
        raise InvalidExperiment(
            f"conditions: {child} would never count, as no value of {parent} is named"
        )
    if unknown := sorted(condition.values - set(choices[parent])):
        listed = ", ".join(choices[parent]) or "a range"
        raise InvalidExperiment(f"conditions: {unknown[0]!r} is not a value of {parent} ({listed})")
    is_repeated = sum(other.child == child for other in others) > 1
    if is_repeated or any(other.child == parent for other in others):
        raise InvalidExperiment(
            f"conditions: {child} may depend on one parameter, which depends on none"
        )
