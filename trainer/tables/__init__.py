"""Reads a data set's table from any place and form, and decides what its cells mean.

pandas, pyarrow and fsspec do the reading; this package finds out the dialect, reads numbers and
dates out of texts by stated rules, says what it decided, and refuses what could be learned wrongly.
"""

from trainer.tables.arrow_frames import frame_to_arrow
from trainer.tables.reading import read_table
from trainer.tables.result import ReadTable

__all__ = ["ReadTable", "frame_to_arrow", "read_table"]
