"""Reads the texts of one column in requests as training read them."""

from registry.package.columns import COLUMN_KINDS, Cell, Column
from registry.package.manifest import TextRules


class TextReader:
    """Applies the manifest's text rules, and the column's policy for what training has not seen.

    Attributes:
        any_text: whether each text must be read; otherwise only those that are no category.
    """

    def __init__(self, column: Column, rules: TextRules) -> None:
        self.column = column
        self._rules = rules
        self._missing = rules.markers(column.name)
        self._kind = COLUMN_KINDS[column.kind]
        self.any_text = self._kind.takes_any_text(column)

    def read(self, text: str) -> Cell:
        """Return the cell that a text means; None where it means a missing value.

        A text that stands where a number or a flag should is returned as it is, unless it means a
        missing value.

        Raises:
            ValueError: when the column cannot hold it; the message says what is expected.
        """
        if not text.isascii() and _has_lone_surrogate(text):
            raise ValueError("has half of a surrogate pair, which is no text")
        cleaned = self._rules.clean(text)
        if cleaned in self._missing:
            return None
        return self._kind.read_text(self.column, cleaned)

    def read_cell(self, cell: str | None) -> Cell:
        """Read a text or null; raises as `read` does, and for a gap where training had none."""
        found = None if cell is None else self.read(cell)
        if found is None and not self.column.takes_missing:
            raise ValueError(self.refusal_of_gap(cell))
        return found

    def refusal_of_gap(self, cell: str | None) -> str:
        """Return why null, or a text that means a missing value, is refused."""
        return self._kind.refuse_missing(self.column, cell)


def _has_lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
