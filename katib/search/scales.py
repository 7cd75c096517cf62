"""The scale of numbers that say nothing about it.

Katib fills in `uniform` where an Experiment says nothing, so the one cannot be told from the other; and nobody who
writes 1 to 1000 means that 500 to 1000 deserves half of all trials.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from katib.space import Parameter

WIDE = {"int": 10, "double": 100}  # max : min from which a scale is taken for logarithmic


def scaled(parameters: Sequence[Parameter], settings: Mapping[str, str]) -> tuple[Parameter, ...]:
    """Return the space on the scales that are searched; the setting `scales: declared` leaves all as it is."""
    if settings.get("scales", "auto") == "declared":
        return tuple(parameters)
    return tuple(replace(p, distribution="logUniform") if _spans(p) else p for p in parameters)


def assumed(parameters: Sequence[Parameter], settings: Mapping[str, str]) -> list[str]:
    """Return the names of those whose scale is an assumption."""
    pairs = zip(parameters, scaled(parameters, settings), strict=True)
    return [given.name for given, taken in pairs if given != taken]


def _spans(p: Parameter) -> bool:
    return (
        p.distribution == "uniform"
        and not p.choices
        and p.low > 0
        and p.high / p.low >= WIDE[p.kind]
    )
