"""What one more point costs after many trials: CPU time of telling one and asking for one."""

from collections.abc import Sequence

from benchmarks.search.report import markdown_row
from benchmarks.search.samplers import Entry, Factory, ready_factory
from benchmarks.search.simulate import Trial
from benchmarks.search.tables import Table
from katib.search.sampler import Search

KNOWN = (10, 50, 200)
ASKS = 5


def cost_table(entries: Sequence[Entry], table: Table) -> str:
    """Return a Markdown table: CPU milliseconds a point, by the number of trials."""
    lines = [
        markdown_row(["sampler", *(f"{known} trials" for known in KNOWN)]),
        markdown_row(["---"] * (len(KNOWN) + 1)),
    ]
    for entry in entries:
        with ready_factory(entry) as factory:
            cells = [f"{1000 * _cpu_per_point(factory, table, known):.1f}" for known in KNOWN]
        lines.append(markdown_row([entry.name, *cells]))
    return "\n".join(lines)


def _cpu_per_point(factory: Factory, table: Table, known: int) -> float:
    """CPU seconds a point; the trials before are random points, told at once and not counted."""
    sampler = factory.make(table, 0)
    trials: list[Trial] = []
    spent = 0.0
    chance = Search(table.grid.parameters(), "random", {}, minimize=True, seed=1, first={})
    for number, point in enumerate(chance.ask([], known)):
        trials.append(Trial(point, 0.0, table.loss(point), float(number)))
    for number in range(ASKS + 1):
        (point,), cpu = sampler.ask(trials, 1)
        trials.append(Trial(point, 0.0, table.loss(point), float(known + number)))
        if number > 0:
            spent += cpu
    return spent / ASKS
