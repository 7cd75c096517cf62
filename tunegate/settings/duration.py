"""Durations as people write them: `90`, `90s`, `5m`, `1h30m`."""

import math
import re

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
NUMBER = r"([0-9]*\.?[0-9]+)"
FORM = re.compile("".join(f"(?:{NUMBER}{unit})?" for unit in UNITS))


def duration(value: object) -> float | None:
    """Return seconds; None stays None.

    Raises:
        ValueError: when it is not a duration above 0.
    """
    if value is None:
        return None
    text = str(value).strip()
    if re.fullmatch(NUMBER, text):
        seconds = float(text)
    else:
        seconds = _with_units(text)
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} is no duration above 0: write 90s, 5m or 1h30m")
    return seconds


def _with_units(text: str) -> float:
    found = FORM.fullmatch(text)
    if found is None:
        return 0.0
    counts = zip(found.groups(), UNITS.values(), strict=True)
    return sum(float(count or 0) * unit for count, unit in counts)
