"""docs/decisions.md, from the results file."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.decisions.summary import BEST

Rate = Sequence[float]  # mean, low, high, decisions, data sets
Rates = Mapping[str, Rate]
Cells = Mapping[str, Mapping[str, Rates]]

LEAST_SETS = 5  # data sets, for an interval
HEAD = """# How often the gate decides rightly

Made by `python -m benchmarks.decisions --table` from `benchmarks/decisions/results.json`, which
`python -m benchmarks.decisions` writes; [decision 6](decisions/0006-gate.md) draws the
conclusions. The populations' truth is known, and the gate is the project's own `judge`, with
forests of 30 trees; these are grown by `benchmarks/decisions/quick_forest.c`, as scikit-learn would
with other random numbers (`--library` takes scikit-learn's). Brackets are 95 % intervals, a
bootstrap over data sets; after them the number of decisions: where there are few, the interval says
little, and an hour more of the benchmark narrows it; cells that were not run yet are missing, and
those of fewer than five data sets are in parentheses. *lower* is "the lower loss on the holdout
wins"; `>=` also lets equals in.
"""
GATE = "the gate"
AIMS = """
## Aims

At 400 + 100 rows, in %. *Best possible* is the most that any threshold on one P(better) reaches
which lets in 10 % of equal challengers; where it is below 80, the rows do not hold more.

| | equal after a search of 40, at most 10 | 10 % worse, at most 1 | 10 % better, at least 80 | \
best possible | after 20 releases, at most 101.5 | published / true, 95 to 105 |
|---|---|---|---|---|---|---|
"""
TEXTS = {
    "named": (
        "Named challengers",
        """Share that is promoted, in %, by what is true of the recipes (mean over data sets), and
rows in all, four fifths of them for training. What is true of a recipe is the mean over these
data sets and up to a hundred more, on which it was fitted without a decision.""",
    ),
    "searched": (
        "After a search of 40 trials",
        """All trials are truly equal to the champion: one recipe with other seeds. Share of winners
that is promoted, in %.""",
    ),
    "new data": (
        "New data",
        """The champion's own recipe on the data of today. *Truth* is the candidate's true loss as a
share of the champion's, today.""",
    ),
    "monthly": (
        "Monthly retraining",
        "5 % more rows each month. True loss as a share of that at the start, in %.",
    ),
    "releases": (
        "Twenty releases",
        """Searches among truly equal recipes; the first champion is the best of them. True loss as
a share of that at the start, in %.""",
    ),
}


def render_page(results: Mapping[str, Cells]) -> str:
    """Return the page."""
    parts = [HEAD, *_aims(results)]
    for kind, (title, text) in TEXTS.items():
        if kind in results:
            parts += [f"\n## {title}\n\n{text}\n", *_sections(kind, results[kind])]
    return "".join(parts)


def _aims(results: Mapping[str, Cells]) -> Iterator[str]:
    """Yield the aims and what was found of each, a line a population."""
    lines = {}
    for name in ("boston", "friedman1", "heavy", "half", "rare", "groups"):
        named = results.get("named", {}).get(f"{name} 500", {})
        searched = results.get("searched", {}).get(f"{name} 500", {})
        after = results.get("releases", {}).get(name, {})
        found = [
            searched.get("promoted", {}).get(GATE),
            named.get("10 % worse", {}).get(GATE),
            named.get("10 % better", {}).get(GATE),
            named.get("10 % better", {}).get(BEST),
            after.get("after 20", {}).get(GATE),
            searched.get("published / true", {}).get(GATE),
        ]
        if any(found):
            lines[name] = found
    if not lines:
        return
    yield AIMS
    for name, found in lines.items():
        yield f"| {name} | {' | '.join(_cell(each) for each in found)} |\n"


def _sections(kind: str, cells: Cells) -> Iterator[str]:
    if kind == "named" or kind in {"monthly", "releases"}:
        for name, rows in cells.items():
            yield f"\n### {title_case(name)}\n\n{_table(rows, _heads(rows))}"
        return
    promoted = {name: rows["promoted"] for name, rows in cells.items()}
    yield "\n" + _table(promoted, _heads(promoted))
    yield "\n" + _table({name: rows["truth"] for name, rows in cells.items()}, None)
    published = {
        name: rows["published / true"] for name, rows in cells.items() if "published / true" in rows
    }
    if published:
        yield (
            "\nThe published number (models on four fifths of the rows) as a share of the truth of "
            f"the package, in %:\n\n{_table(published, None)}"
        )


def title_case(name: str) -> str:
    """Return a cell's name as a heading."""
    return name[:1].upper() + name[1:]


def _heads(rows: Mapping[str, Rates]) -> list[str]:
    return list(next(iter(rows.values())))


def _table(rows: Mapping[str, Rates], heads: list[str] | None) -> str:
    """Return rules as rows and what is true as columns."""
    names = heads or list(next(iter(rows.values())))
    lines = [
        f"| | {' | '.join(rows)} |",
        f"|---|{'---|' * len(rows)}",
    ]
    for name in names:
        cells = " | ".join(_cell(rates.get(name)) for rates in rows.values())
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(rate: Rate | None) -> str:
    if rate is None or not rate[3]:
        return ""
    mean, low, high = (100 * value for value in rate[:3])
    if rate[4] < LEAST_SETS:
        return f"({mean:.0f}) n {rate[3]:.0f}"
    return f"{mean:.0f} [{low:.0f}, {high:.0f}] n {rate[3]:.0f}"
