"""Which cells there are, and what is kept of those that were run."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.decisions.cells import (
    CHAMPIONS,
    KINDS,
    PAIRS,
    ROWS,
    Found,
    monthly,
    named,
    new_data,
    recipes,
    releases,
    searched,
)
from benchmarks.decisions.populations import POPULATIONS

SEQUENCES = 100  # runs of months and of releases, and data sets for what is true of a recipe
NEW_DATA_POPULATIONS = ("boston", "friedman1", "rare")


class Cell(NamedTuple):
    """One cell.

    Attributes:
        kind: which table it belongs to.
        name: unique.
        per_set: decisions that one data set gives; 0 for a sequence, which counts as a run.
        run: makes the decisions of the data set of this number.
        first: whether it is done before others: it tells most.
    """

    kind: str
    name: str
    per_set: int
    run: Callable[[int], Found]
    first: bool = False

    def sets(self, decisions: int) -> int:
        """Return how many data sets give so many decisions."""
        if not self.per_set:
            return SEQUENCES
        return -(-decisions // self.per_set)

    def turn(self, done: int, decisions: int) -> tuple[bool, float]:
        """Return what is least for the cell that comes next: its rank, and the share done."""
        return not self.first, done / self.sets(decisions)


def all_cells() -> Iterator[Cell]:
    """Yield every cell."""
    for population in POPULATIONS:
        sizes = (ROWS,)
        if population.name in {"boston", "friedman1"}:
            sizes = (ROWS, 250, 2500)
        for rows in sizes:
            label = f"{population.name} {rows}"
            run = partial(named, population, rows=rows)
            yield Cell("named", label, PAIRS, run, first=rows == ROWS)
            run = partial(recipes, population, rows=rows)
            yield Cell("recipes", label, 0, run, first=rows == ROWS)
        label = f"{population.name} {ROWS}"
        run = partial(searched, population, rows=ROWS)
        yield Cell("searched", label, CHAMPIONS, run, first=True)
        if population.name in NEW_DATA_POPULATIONS:
            for kind, (_, _, world) in KINDS.items():
                if world == "same" or population.name == "friedman1":
                    yield Cell(
                        "new data",
                        f"{population.name}, {kind}",
                        1,
                        partial(new_data, population, kind=kind),
                    )
            yield Cell("monthly", population.name, 0, partial(monthly, population))
        yield Cell("releases", population.name, 0, partial(releases, population))


@dataclass(frozen=True, slots=True)
class Journal:
    """A folder with one file a cell and one line a data set, so that a run can be continued."""

    folder: Path

    def read(self, cell: Cell) -> dict[int, Found]:
        """Return what is known, by the data set's number."""
        path = self._path(cell)
        if not path.exists():
            return {}
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
        return {line["set"]: line["found"] for line in lines}

    def add(self, cell: Cell, number: int, found: Found) -> None:
        """Append one data set."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._path(cell).open("a") as file:
            file.write(json.dumps({"set": number, "found": found}, default=float) + "\n")

    def _path(self, cell: Cell) -> Path:
        name = f"{cell.kind} {cell.name}".replace(" ", "_").replace("%", "").replace(",", "")
        return self.folder / f"{name}.jsonl"


def run_missing(
    cells: Sequence[Cell], journal: Journal, *, decisions: int, seconds: float
) -> Iterator[str]:
    """Run what is missing, a data set of the cell that is furthest behind; yield a line for each.

    Args:
        cells: which.
        journal: what is known, and where to add to.
        decisions: of each cell.
        seconds: after which no data set is begun any more.
    """
    end = time.monotonic() + seconds
    known = {cell: set(journal.read(cell)) for cell in cells}
    while time.monotonic() < end:
        missing = [cell for cell in cells if len(known[cell]) < cell.sets(decisions)]
        if not missing:
            return
        cell = min(missing, key=lambda each: each.turn(len(known[each]), decisions))
        number = next(i for i in count() if i not in known[cell])
        began = time.process_time()
        journal.add(cell, number, cell.run(number))
        known[cell].add(number)
        yield f"{cell.kind} {cell.name} {number}: {time.process_time() - began:.1f} CPU s"
