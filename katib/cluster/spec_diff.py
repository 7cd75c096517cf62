"""Compare an Experiment on a cluster with the one written here, ignoring Katib's defaults."""

from collections.abc import Mapping, Sequence

from katib.objects import JsonValue

WIDTH = 80  # of a value in a message
TEMPLATE = "trialSpec"  # Katib fills in no defaults there
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


def first_difference(ours: JsonValue, theirs: JsonValue, path: str = "spec") -> str:
    """Return the first field that differs, with both values; empty if there is none.

    A field that only the cluster's has counts if Katib does not fill it in by itself.
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        whole = f".{TEMPLATE}" in path
        extra = [name for name in theirs if name not in ours and (whole or name in NEVER_DEFAULTED)]
        pairs = [(f"{path}.{name}", ours.get(name), theirs.get(name)) for name in (*ours, *extra)]
    elif _are_lists(ours, theirs) and len(ours) == len(theirs):
        pairs = [
            (f"{path}[{i}]", mine, other)
            for i, (mine, other) in enumerate(zip(ours, theirs, strict=True))
        ]
    else:
        same = ours == theirs or (_is_blank(ours) and _is_blank(theirs))
        if same:
            return ""
        return f"{path}: {_quote_value(ours)} here, {_quote_value(theirs)} there"
    return next(
        (found for each, mine, other in pairs if (found := first_difference(mine, other, each))), ""
    )


def _are_lists(*values: object) -> bool:
    return all(isinstance(value, Sequence) and not isinstance(value, str) for value in values)


def _is_blank(value: object) -> bool:
    """Whether Go omits a field with this value; it keeps a 0, which is behind a pointer."""
    return value is None or value is False or value in ("", [], {})


def _quote_value(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        text = f"{len(value)} entries"
    else:
        text = str(value)
    if len(text) <= WIDTH:
        return text
    return text[: WIDTH - 1] + "…"
