"""The sources of settings, the environment and `tunegate.toml`, read without being checked."""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

SettingValues = dict[str, object]  # not yet checked; nested settings are dicts, too
PREFIX = "TUNEGATE_"
FILE = Path("tunegate.toml")


def read_environment(names: Sequence[str], parts: Sequence[str]) -> SettingValues:
    """Return what is set in the environment; lists and objects are written as JSON.

    Args:
        names: of settings, in variables `TUNEGATE_<NAME>`.
        parts: of nested settings, in variables `TUNEGATE_<PART>__<NAME>`.
    """
    given = {name.upper(): _parse_value(text) for name, text in os.environ.items()}
    found = {name: given[PREFIX + name.upper()] for name in names if PREFIX + name.upper() in given}
    for part in parts:
        start = f"{PREFIX}{part.upper()}__"
        inside = {
            name.removeprefix(start).lower(): value
            for name, value in given.items()
            if name.startswith(start)
        }
        if inside:
            found = merged(found, {part: inside})
    return found


def read_toml() -> SettingValues:
    """Return the file's contents; empty if there is no file.

    Raises:
        ValueError: naming the file, when it cannot be read.
    """
    try:
        return tomllib.loads(FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{FILE}: {error}") from error


def merged(*sources: Mapping[str, object]) -> SettingValues:
    """Return all sources in one, the later ones first; nested mappings are merged the same way."""
    found: SettingValues = {}
    for source in sources:
        for name, value in source.items():
            known = found.get(name)
            if isinstance(value, Mapping) and isinstance(known, Mapping):
                found[name] = merged(known, value)
            else:
                found[name] = value
    return found


def _parse_value(text: str) -> object:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
