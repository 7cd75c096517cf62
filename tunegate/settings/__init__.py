"""Settings: flags > environment (`TUNEGATE_...`) > `tunegate.toml` > defaults.

Nested settings are written as `TUNEGATE_GATE__MODE` in the environment.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from registry.record import split_error
from tunegate.errors import UsageError
from tunegate.settings.duration import duration
from tunegate.settings.schema import Serving, Settings
from tunegate.settings.sources import merged, read_environment, read_toml

__all__ = ["Serving", "Settings", "load_settings"]


def load_settings(**flags: object) -> Settings:
    """Read the settings; flags that are None were not given.

    Raises:
        UsageError: naming the setting and where it can be set.
    """
    given = {name: value for name, value in flags.items() if value is not None and value != ()}
    names = Settings.__struct_fields__
    found: Mapping[str, object] = {}
    try:
        found = merged(read_toml(), read_environment(names, ("gate", "serving", "signing")), given)
        if "time" in found:
            found = {**found, "time": _to_seconds(found["time"])}
        return msgspec.convert(found, Settings, strict=False, dec_hook=_to_path)
    except ValueError as error:
        raise UsageError(
            f"settings: {_describe_error(error, found)}",
            hint="a flag, an environment variable TUNEGATE_..., or tunegate.toml",
        ) from error


def _to_seconds(text: object) -> float | None:
    try:
        return duration(text)
    except ValueError as error:
        raise ValueError(f"time: {error}") from error


def _to_path(_: type, text: object) -> Path:
    if isinstance(text, str | Path):
        return Path(text)
    raise ValueError("Expected a path")


def _describe_error(error: Exception, found: Mapping[str, object]) -> str:
    """Return the setting's name, what is wrong with it, and what it was set to."""
    place, problem = split_error(error)
    if not place:
        return problem
    value: object = found
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return f"{place}: {problem} (got {value!r})"
