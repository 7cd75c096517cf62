"""The scale on which a number is searched if the Experiment does not say.

Katib fills in `uniform` where an Experiment has no distribution, so nobody can tell the two apart;
and nobody who writes 1 to 1000 means that 500 to 1000 deserves half of all trials.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from katib.space import Parameter

WIDE_RATIO = {"int": 10, "double": 100}  # max : min from which a log scale is assumed


def assume_scales(
    parameters: Sequence[Parameter], settings: Mapping[str, str]
) -> tuple[Parameter, ...]:
    """Return the space on the scales that are searched; `scales: declared` changes none."""
    if settings.get("scales", "auto") == "declared":
        return tuple(parameters)
    return tuple(
        replace(p, distribution="logUniform") if _spans_magnitudes(p) else p for p in parameters
    )


def assumed_log_scales(parameters: Sequence[Parameter], settings: Mapping[str, str]) -> list[str]:
    """Return the names of the parameters whose log scale is an assumption."""
    pairs = zip(parameters, assume_scales(parameters, settings), strict=True)
    return [given.name for given, searched in pairs if given != searched]


def _spans_magnitudes(p: Parameter) -> bool:
    return (
        p.distribution == "uniform"
        and not p.choices
        and p.low > 0
        and p.high / p.low >= WIDE_RATIO[p.kind]
    )
