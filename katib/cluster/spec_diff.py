"""Whether an Experiment on a cluster is the one that is written here, whatever defaults Katib has filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 80  # of a value in a message
TEMPLATE = "trialSpec"  # Katib keeps it as it is written
NEVER_DEFAULTED = frozenset(
    [
        "additionalMetricNames",
        "algorithmSettings",
        "earlyStopping",
        "goal",
        "maxFailedTrialCount",
        "maxTrialCount",
        "nasConfig",
        "retain",
        "step",
    ]
)


def difference(ours: Any, theirs: Any, path: str = "spec") -> str:  # noqa: ANN401 - JSON
    """Return the first field of ours that differs, with both values; empty where there is none.

    What only the cluster's has counts where Katib does not put it there by itself.
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        whole = f".{TEMPLATE}" in path
        extra = [name for name in theirs if name not in ours and (whole or name in NEVER_DEFAULTED)]
        pairs = [(f"{path}.{name}", ours.get(name), theirs.get(name)) for name in (*ours, *extra)]
    elif _lists(ours, theirs) and len(ours) == len(theirs):
        pairs = [
            (f"{path}[{i}]", mine, other)
            for i, (mine, other) in enumerate(zip(ours, theirs, strict=True))
        ]
    else:
        same = ours == theirs or (_blank(ours) and _blank(theirs))
        if same:
            return ""
        return f"{path}: {_shown(ours)} here, {_shown(theirs)} there"
    return next(
        (found for each, mine, other in pairs if (found := difference(mine, other, each))), ""
    )


def _lists(*values: object) -> bool:
    return all(isinstance(value, Sequence) and not isinstance(value, str) for value in values)


def _blank(value: object) -> bool:
    """Whether Go leaves a field out for this value; 0 is one, of a pointer."""
    return value is None or value is False or value in ("", [], {})


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        text = f"{len(value)} entries"
    else:
        text = str(value)
    if len(text) <= WIDTH:
        return text
    return text[: WIDTH - 1] + "…"
