"""Gives every column a name of its own, by the rules that pandas has."""

from collections.abc import Sequence

from trainer.errors import DataError


def unique_names(names: Sequence[str], *, strip: bool) -> list[str]:
    """Return a name for each column, all different.

    An empty name becomes "Unnamed: 0" with the column's position, a repeated one gets ".1", ".2".
    """
    found: dict[str, None] = {}
    taken = {name.strip() if strip else name for name in names}
    for position, written in enumerate(names):
        name = written.strip() if strip else written
        name = name or f"Unnamed: {position}"
        if name in found:
            name = _numbered(name, taken | found.keys())
        found[name] = None
    return list(found)


def refuse_second_target(written: Sequence[str], target: str, label: str) -> None:
    """Raise a DataError if several columns are called as the target is."""
    if [name.strip() for name in written].count(target) > 1:
        raise DataError(
            f"{label}: several columns are called {target}, which is the target",
            hint="give them different names in the file",
        )


def describe_names(written: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return a note for each kind of change that `unique_names` made."""
    notes = []
    stripped = [name for name in written if name != name.strip() and name.strip()]
    if stripped:
        notes.append(f"spaces around column names are taken off: {_list_names(stripped)}")
    unnamed = [name for name, text in zip(names, written, strict=True) if not text.strip()]
    if unnamed:
        notes.append(
            f"a column without a name is called {_list_names(unnamed)}; if it numbers the rows, "
            f"write drop = [{_list_names(unnamed)}]"
        )
    repeated = [
        name
        for name, text in zip(names, written, strict=True)
        if text.strip() and name not in (text, text.strip())
    ]
    if repeated:
        notes.append(f"columns share a name; the later ones are called {_list_names(repeated)}")
    return notes


def _numbered(name: str, taken: set[str]) -> str:
    number = 1
    while f"{name}.{number}" in taken:
        number += 1
    return f"{name}.{number}"


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
