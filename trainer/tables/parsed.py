"""A table between its parser and the decisions about its cells."""

from dataclasses import dataclass

import pandas as pd

from trainer.tables.cell_meanings.number_marks import UNKNOWN_MARKS, Marks
from trainer.tables.result import RowPlaces


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """What a parser made of a source.

    Attributes:
        frame: the cells, with the types that the parser gave them.
        places: where each row came from.
        notes: what was found out, one sentence each.
        marks: how the source writes numbers in texts.
    """

    frame: pd.DataFrame
    places: RowPlaces
    notes: tuple[str, ...] = ()
    marks: Marks = UNKNOWN_MARKS
