"""`python -m benchmarks.search`: make missing tables, run missing searches, print."""

import argparse

from benchmarks.search.cost import cost_table
from benchmarks.search.data import SETS
from benchmarks.search.report import REFERENCE, STAGES, about_tables, rescored_table, searched_table
from benchmarks.search.runs import Record, finished_searches
from benchmarks.search.samplers import Entry
from benchmarks.search.simulate import MODES
from benchmarks.search.tables import Table, load_table

KATIB = "a4"  # the mode in which the reference is asked
DEFAULT = ["random@uniform", "random", "sobol", "cmaes", "tunegate", "tunegate+first"]


def main() -> None:
    """Search and report."""
    options = _arguments()
    tables = [load_table(name) for name in options.tables]
    entries = [Entry.parse(name) for name in options.samplers]
    if options.cost:
        print(cost_table(entries, tables[0]))
        return
    print(about_tables(tables))
    results: dict[str, list[Record]] = {}
    for entry in entries:
        results[entry.name] = finished_searches(
            entry,
            tables,
            options.modes,
            seeds=range(options.seeds),
            trials=options.trials,
            known_only=options.known,
        )
    for one in tables:
        for mode in options.modes:
            _print_tables(one, mode, results, options.fresh, gated=options.gate)


def _print_tables(
    one: Table, mode: str, results: dict[str, list[Record]], fresh: list[int], *, gated: bool
) -> None:
    chosen = {
        name: [record for record in records if record.key == one.key and record.mode == mode]
        for name, records in results.items()
    }
    chosen = {name: records for name, records in chosen.items() if records}
    if not chosen:
        return
    reference = [r for r in results.get(REFERENCE, []) if r.key == one.key and r.mode == KATIB]
    print("\n" + searched_table(one, mode, chosen, reference))
    if fresh:
        stages = STAGES if gated else STAGES[:1]
        for stage in stages:
            print("\n" + rescored_table(one, mode, chosen, fresh, stage))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--tables", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--samplers", nargs="+", default=DEFAULT, metavar="NAME[:SETTING=VALUE,…][@uniform][+first]"
    )
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["a4", "s4"])
    parser.add_argument("--seeds", type=int, default=20, help="searches a line")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument(
        "--fresh", nargs="*", type=int, default=[], help="budgets whose winners are scored again"
    )
    parser.add_argument(
        "--gate",
        action="store_true",
        help="and the best of the finalists, and what the gate has in production then",
    )
    parser.add_argument(
        "--cost", action="store_true", help="only measure CPU time a point, by number of trials"
    )
    parser.add_argument(
        "--known",
        action="store_true",
        help="report what is there, of earlier code too; run nothing",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
