"""Chooses the kind of each column to learn from, and leaves out texts that nobody asked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from registry.package.columns import MAX_CATEGORIES, Kind
from trainer.cells import infer_kind
from trainer.spec import DataSetSpec
from trainer.tables.paste_lines import type_line


@dataclass(frozen=True, slots=True)
class KindChoice:
    """The kinds of the columns to learn from.

    Attributes:
        kinds: column name -> kind, in the order of the names.
        notes: what was decided, one sentence each.
    """

    kinds: dict[str, Kind]
    notes: tuple[str, ...]


def choose_kinds(
    frame: pd.DataFrame, names: Sequence[str], spec: DataSetSpec, *, include: Collection[str] = ()
) -> KindChoice:
    """Return each column's kind: as the spec states it, or as its cells suggest.

    A column of prose is left out, unless the spec states `type = "text"` or it is to be included.
    """
    kinds: dict[str, Kind] = {}
    notes = []
    for name in names:
        stated = spec.columns.get(name)
        if stated and stated.type:
            kinds[name] = stated.type
            continue
        kind = infer_kind(frame[name])
        if kind == "text" and name not in include:
            notes.append(
                f"{name}: prose is not learned from; {type_line(name, 'text')} learns its words"
            )
            continue
        if kind == "categorical":
            notes += _many_categories(frame[name])
        kinds[name] = kind
    return KindChoice(kinds, tuple(notes))


def _many_categories(column: pd.Series) -> list[str]:
    distinct = column.nunique()
    if distinct <= MAX_CATEGORIES:
        return []
    note = (
        f"{column.name}: the {MAX_CATEGORIES} most frequent of {distinct} texts are categories, "
        "the others are one more"
    )
    return [note]
