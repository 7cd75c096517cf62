"""Where settings come from, the environment and `tunegate.toml`, as they are written; `tunegate.settings` checks."""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PREFIX = "TUNEGATE_"
FILE = Path("tunegate.toml")


def environment(names: Sequence[str], parts: Sequence[str]) -> dict[str, Any]:
    """Return what is set in the environment as `TUNEGATE_<NAME>`, and for a part's names as `TUNEGATE_<PART>__<NAME>`.

    Lists and objects are written as JSON.
    """
    given = {name.upper(): _value(text) for name, text in os.environ.items()}
    found = {name: given[PREFIX + name.upper()] for name in names if PREFIX + name.upper() in given}
    for part in parts:
        start = f"{PREFIX}{part.upper()}__"
        inside = {
            name.removeprefix(start).lower(): value
            for name, value in given.items()
            if name.startswith(start)
        }
        found = merged(found, {part: inside}) if inside else found
    return found


def toml() -> dict[str, Any]:
    """Return the file's contents; nothing where there is none.

    Raises:
        ValueError: naming the file, when it cannot be read.
    """
    try:
        return tomllib.loads(FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{FILE}: {error}") from error


def merged(*sources: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of them in one, the later ones first; an object within is merged likewise."""
    found: dict[str, Any] = {}
    for source in sources:
        for name, value in source.items():
            both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
            found[name] = merged(found[name], value) if both else value
    return found


def _value(text: str) -> Any:  # noqa: ANN401 - JSON
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
