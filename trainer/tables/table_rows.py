"""Leaves out what holds nothing: empty columns, empty rows, and rows without a target."""

from dataclasses import replace

import numpy as np

from trainer.findings import Finding
from trainer.spec import DataSetSpec
from trainer.tables.parsed import Parsed
from trainer.tables.result import KeptRows, ReadTable


def drop_empty_parts(parsed: Parsed, spec: DataSetSpec) -> Parsed:
    """Leave out columns without name and cells, unless the spec names them, and empty rows."""
    frame = parsed.frame
    frame.columns = [str(name) for name in frame.columns]
    named = {spec.target, spec.weight, spec.split.time, *spec.features, *spec.drop, *spec.columns}
    named |= {*spec.split.by}
    notes = list(parsed.notes)
    empty = [
        name
        for name in frame.columns
        if name.startswith("Unnamed: ") and name not in named and bool(frame[name].isna().all())
    ]
    if empty and len(frame):
        frame = frame.drop(columns=empty)
        notes.append(f"columns without a name and a value are dropped: {', '.join(empty)}")
    places = parsed.places
    kept = np.ones(len(frame), dtype=bool)
    if spec.target in frame and frame[spec.target].isna().any():
        kept = frame.notna().any(axis=1).to_numpy()
    if not kept.all():
        notes.append(f"{int((~kept).sum())} empty rows are left out")
        frame = frame[kept].reset_index(drop=True)
        places = KeptRows(places, np.flatnonzero(kept))
    return replace(parsed, frame=frame, notes=tuple(notes), places=places)


def leave_out_gaps(table: ReadTable, spec: DataSetSpec) -> ReadTable:
    """Leave out the rows without a target where the spec says so, and else find them."""
    gaps = table.frame[spec.target].isna().to_numpy()
    count = int(gaps.sum())
    if not count:
        return table
    if spec.target_gaps == "drop":
        note = f"{count} of {len(gaps)} rows have no {spec.target} and are left out"
        return table.keep(~gaps).noting([note])
    first = table.place_of(int(np.argmax(gaps)))
    finding = Finding(
        spec.target,
        f"{count} of {len(gaps)} cells of the target are missing, the first in {first}",
        "refused",
        ('target_gaps = "drop"',),
    )
    return table.noting([], [finding])
