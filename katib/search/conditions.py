"""Parameters that count only where another one has certain values, which Katib's search spaces cannot say.

They are written into the algorithm's setting `conditions`, as JSON: `{"max_samples": {"bootstrap": ["true"]}}` says
that `max_samples` counts where `bootstrap` is true. Elsewhere it is idle, and has one and the same value.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from katib.errors import InvalidExperiment
from katib.space import Assignments, Parameter

EXAMPLE = '{"max_samples": {"bootstrap": ["true"]}}'


@dataclass(frozen=True, slots=True)
class Condition:
    """`child` counts where `parent` has one of `values`."""

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
        written = json.loads(text or "{}")
        pairs = [
            (child, parent, values)
            for child, rule in written.items()
            for parent, values in rule.items()
        ]
        found = tuple(
            Condition(child, parent, frozenset(_texts(values))) for child, parent, values in pairs
        )
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidExperiment(f"conditions: not of the form {EXAMPLE}") from error
    for condition in found:
        _check(condition, found, choices)
    return found


def conditions_of(
    settings: Mapping[str, str], parameters: Iterable[Parameter]
) -> tuple[Condition, ...]:
    """Read them from an algorithm's settings; see `read_conditions`."""
    return read_conditions(settings.get("conditions", ""), {p.name: p.choices for p in parameters})


def settled(
    point: Mapping[str, str], conditions: Iterable[Condition], space: Mapping[str, Parameter]
) -> Assignments:
    """Return the point with each idle parameter in the middle of its range."""
    idle = [c.child for c in conditions if point[c.parent] not in c.values]
    return {**point, **{name: space[name].from_unit(0.5) for name in idle}}


def _texts(values: object) -> list[str]:
    listed = values if isinstance(values, list) else [values]
    if not all(isinstance(value, str) for value in listed):
        raise TypeError
    return [str(value) for value in listed]


def _check(
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
    if sum(other.child == child for other in others) > 1 or any(
        other.child == parent for other in others
    ):
        raise InvalidExperiment(
            f"conditions: {child} may depend on one parameter, which depends on none"
        )
