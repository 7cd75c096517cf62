"""Finished searches, kept as lines of JSON, so that only those that are missing run."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.search.samplers import Entry, Factory, ready_factory
from benchmarks.search.simulate import simulate_search
from benchmarks.search.tables import CACHE, Table


@dataclass(frozen=True, slots=True)
class Record:
    """A finished search.

    Attributes:
        table: the table's name and its key.
        version: of the sampler's code.
        losses: of the trials in the order of their ends.
        cells: the trials' places in the table, likewise.
        requests: [points, CPU seconds] of each request.
    """

    table: str
    key: str
    sampler: str
    version: str
    mode: str
    seed: int
    losses: list[float]
    cells: list[list[int]]
    requests: list[list[float]]

    def best(self, trials: int) -> list[tuple[int, ...]]:
        """The cells of the first trials to end, best first, none twice."""
        ranked = sorted(range(trials), key=self.losses.__getitem__)
        return list(dict.fromkeys(tuple(self.cells[place]) for place in ranked))


def finished_searches(
    entry: Entry,
    tables: Sequence[Table],
    modes: Sequence[str],
    *,
    seeds: range,
    trials: int,
    known_only: bool = False,
) -> list[Record]:
    """Return the searches of a sampler, running those that are missing.

    Args:
        known_only: run nothing; of each table and mode take those of the code that ran last, be it
            today's or not.
    """
    version = entry.version()
    path = CACHE / "runs" / f"{entry.name}.jsonl"
    kept = [record for record in _read_records(path) if len(record.losses) == trials]
    last = {(record.key, record.mode): record.version for record in kept} if known_only else {}
    known = {
        (r.key, r.mode, r.seed): r for r in kept if r.version == last.get((r.key, r.mode), version)
    }
    todo = [(t, m, s) for t in tables for m in modes for s in seeds if (t.key, m, s) not in known]
    if todo and not known_only:
        with ready_factory(entry) as factory:
            for number, (table, mode, seed) in enumerate(todo):
                record = _run_search(factory, version, table, mode, seed=seed, trials=trials)
                _append_record(path, record)
                known[table.key, mode, seed] = record
                if sys.stderr.isatty():
                    print(f"\r{entry.name}: {number + 1} of {len(todo)} ", end="", file=sys.stderr)
    wanted = [(table.key, mode, seed) for table in tables for mode in modes for seed in seeds]
    return [known[search] for search in wanted if search in known]


def _run_search(
    factory: Factory, version: str, table: Table, mode: str, *, seed: int, trials: int
) -> Record:
    run = simulate_search(factory.make(table, seed), table.loss, mode, trials=trials, seed=seed)
    done = run.in_order_of_end()
    cells = [list(table.cell(trial.assignments)) for trial in done]
    losses = [trial.loss for trial in done if trial.loss is not None]
    requests = [list(request) for request in run.requests]
    return Record(
        table.name, table.key, factory.entry.name, version, mode, seed, losses, cells, requests
    )


def _append_record(path: Path, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def _read_records(path: Path) -> Iterator[Record]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        yield Record(**json.loads(line))
