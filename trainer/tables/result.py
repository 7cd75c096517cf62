"""What reading a table gives: the cells, where each row came from, and what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.findings import Finding


class RowPlaces(Protocol):
    """Where rows of a table came from."""

    def line_of(self, position: int) -> int:
        """Return the 1-based line of a text file, or the 1-based row of another source."""
        ...

    def place_of(self, position: int) -> str:
        """Return the same for people: "line 42"."""
        ...


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """Rows of a source without lines; `first` is the number of its first row."""

    first: int = 1

    def line_of(self, position: int) -> int:
        """Return the row's number."""
        return position + self.first

    def place_of(self, position: int) -> str:
        """Return the row's number for people."""
        return f"row {self.line_of(position)}"


@dataclass(frozen=True, slots=True)
class NumberedLines:
    """Rows of a text file, one a line; `lines` has the line of each, 1-based."""

    lines: tuple[int, ...]

    def line_of(self, position: int) -> int:
        """Return the row's line."""
        return self.lines[position]

    def place_of(self, position: int) -> str:
        """Return the row's line for people."""
        return f"line {self.line_of(position)}"


@dataclass(frozen=True, slots=True)
class NamedRows:
    """Rows of a frame in memory, each with a name, such as "row 7" by its index."""

    names: tuple[str, ...]

    def line_of(self, position: int) -> int:
        """Return the row's number."""
        return position + 1

    def place_of(self, position: int) -> str:
        """Return the row's name."""
        return self.names[position]


@dataclass(frozen=True, slots=True)
class LaterRows:
    """Rows of another source from its row `first` on."""

    source: RowPlaces
    first: int

    def line_of(self, position: int) -> int:
        """Return the line in the whole source."""
        return self.source.line_of(self.first + position)

    def place_of(self, position: int) -> str:
        """Return the line for people."""
        return self.source.place_of(self.first + position)


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """Rows of several files, one after the other."""

    names: tuple[str, ...]
    parts: tuple[RowPlaces, ...]
    lengths: tuple[int, ...]

    def line_of(self, position: int) -> int:
        """Return the line in the row's own file."""
        part, rest = self._locate(position)
        return self.parts[part].line_of(rest)

    def place_of(self, position: int) -> str:
        """Return the file and the line."""
        part, rest = self._locate(position)
        return f"{self.names[part]} {self.parts[part].place_of(rest)}"

    def _locate(self, position: int) -> tuple[int, int]:
        ends = np.cumsum(self.lengths)
        part = int(np.searchsorted(ends, position, side="right"))
        return part, position - int(ends[part]) + self.lengths[part]


@dataclass(frozen=True, slots=True, eq=False)
class KeptRows:
    """Rows of another source of which some were left out; `kept` are the positions of the rest."""

    source: RowPlaces
    kept: NDArray[np.int64]

    def line_of(self, position: int) -> int:
        """Return the line in the file, which still has all rows."""
        return self.source.line_of(int(self.kept[position]))

    def place_of(self, position: int) -> str:
        """Return the line for people."""
        return self.source.place_of(int(self.kept[position]))


@dataclass(frozen=True, slots=True, eq=False)
class ReadTable:
    """A table as it was read.

    Attributes:
        frame: the cells. Texts that are numbers are float64, texts that are dates are ISO 8601
            texts, missing texts are NaN; columns that the spec drops are as pandas read them.
        notes: what was found out and decided, one sentence each.
        findings: what needs the user's decision; see `trainer.findings.refuse_findings`.
        places: where each row came from.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    places: RowPlaces = field(default_factory=NumberedRows)

    def line_of(self, position: int) -> int:
        """Return the line of a row in its file, or its row number; both begin with 1."""
        return self.places.line_of(position)

    def place_of(self, position: int) -> str:
        """Return where a row is, for messages: "line 42", "row 7"."""
        return self.places.place_of(position)

    def keep(self, kept: NDArray[np.bool_]) -> "ReadTable":
        """Return the table with the rows where `kept`, bool (n_rows,), is True."""
        positions = np.flatnonzero(kept)
        frame = self.frame.iloc[positions].reset_index(drop=True)
        return replace(self, frame=frame, places=KeptRows(self.places, positions))

    def noting(self, notes: Sequence[str], findings: Sequence[Finding] = ()) -> "ReadTable":
        """Return the table with more notes and findings."""
        return replace(self, notes=(*self.notes, *notes), findings=(*self.findings, *findings))
