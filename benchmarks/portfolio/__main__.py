"""`python -m benchmarks.portfolio`: make missing tables, choose points, print what they reach."""

import argparse

import numpy as np

from benchmarks.portfolio.choose import (
    by_chance,
    chosen_places,
    default_place,
    forest_regrets,
    held_out,
    point_at,
    without_each,
)
from benchmarks.portfolio.searches import distance_ratios
from benchmarks.portfolio.sets import SOURCES
from benchmarks.search.report import BUDGETS
from benchmarks.search.tables import table_of

SAMPLER = "tpe+first"


def main() -> None:
    """Choose and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portfolio", description=__doc__)
    parser.add_argument("--points", type=int, default=7)
    parser.add_argument(
        "--searches", type=int, default=0, help="also search so many times on each table (minutes)"
    )
    options = parser.parse_args()
    count = options.points
    tables = [table_of(source.load()) for source in SOURCES]
    found = np.stack([forest_regrets(table) for table in tables])
    defaults = np.array([found[k, default_place(table)] for k, table in enumerate(tables)])
    for place in chosen_places(found, defaults, count):
        print(point_at(place, tables))
    places = without_each(found, defaults, count)
    held = held_out(found, defaults, places)
    chance = by_chance(found, defaults, count)
    print(
        f"\n| table | rows, columns | default | default and {count} drawn"
        f" | default and {count} chosen without it |"
    )
    print("| --- | --- | --- | --- | --- |")
    for k, table in enumerate(tables):
        rows, columns = table.data.x.shape
        print(
            f"| {table.name} | {rows}, {columns} | {defaults[k]:.2f}"
            f" | {chance[k]:.2f} | {held[k]:.2f} |"
        )
    print(f"| mean | | {defaults.mean():.2f} | {chance.mean():.2f} | {held.mean():.2f} |")
    begun = [[point_at(place, tables) for place in own] for own in places]
    if options.searches:
        found_ratios = distance_ratios(SAMPLER, tables, begun, options.searches)
        print(SAMPLER, dict(zip(BUDGETS, found_ratios, strict=True)))


if __name__ == "__main__":
    main()
