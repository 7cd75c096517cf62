"""What does a prediction cost as forests and requests grow, and where does the cost bend?

Forests are complete trees without any fitting, so that every path has the depth that is asked for. Each line varies
one of trees, depth, features and rows, and leaves the others.
"""

import argparse
import struct
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from registry.package import KERNEL, FlatForest

CHROMIUM = Path("/usr/bin/chromium")
NODE_BYTES = 16 + 8  # of the C kernel: a packed node, and its leaf's value


@dataclass(frozen=True)
class Case:
    """One forest and how it is asked."""

    trees: int = 100
    depth: int = 9
    features: int = 13
    rows: int = 10_000


@dataclass(frozen=True)
class Cost:
    """Seconds of one call for one row, and of one for all."""

    case: Case
    one: float
    batch: float

    @property
    def size(self) -> float:
        """The forest, in KiB."""
        return self.case.trees * (2 ** (self.case.depth + 1) - 1) * NODE_BYTES / 1024

    def per_decision(self, seconds: float, rows: int) -> float:
        """Return nanoseconds."""
        return seconds * 1e9 / (rows * self.case.trees * self.case.depth)


SWEEPS = {
    "trees": [10, 20, 50, 100, 200, 500, 1000, 2000, 4000],
    "depth": [2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 16],
    "features": [2, 5, 13, 50, 100, 200, 500, 1000, 2000],
    "rows": [1, 2, 4, 8, 16, 32, 100, 1_000, 10_000, 100_000, 1_000_000],
}


def main() -> None:
    """Measure each sweep, print it, and draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder for growth.html and growth.png")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print(f"kernel {KERNEL}; ns a decision = time / (rows x trees x depth)\n")
    print("| varied | value | forest KiB | one row us | ns a decision | batch ms | ns a decision |")
    print("|---|---|---|---|---|---|---|")
    found = {name: [_measured(name, value) for value in values] for name, values in SWEEPS.items()}
    figure = _figure(found)
    figure.write_html(options.output / "growth.html", include_plotlyjs=True)
    _picture(options.output)


def complete_forest(case: Case, rng: np.random.Generator) -> FlatForest:
    """Return complete binary trees over uniform features: each decision halves what reaches it, so none is foreseen."""
    nodes = 2 ** (case.depth + 1) - 1
    # In depth-first order, as scikit-learn numbers them: the left child follows, the right one comes after its tree.
    below = _sizes(case.depth)
    place = np.arange(nodes)
    left = np.where(below > 1, place + 1, place)
    right = np.where(below > 1, place + 1 + (below - 1) // 2, place)
    inner = below > 1
    starts = np.arange(case.trees + 1) * nodes
    shift = np.repeat(starts[:-1], nodes)
    n = case.trees * nodes
    return FlatForest(
        start=starts.astype(np.int32),
        feature=np.where(np.tile(inner, case.trees), rng.integers(0, case.features, n), 0).astype(np.int32),
        threshold=rng.uniform(0.3, 0.7, n).astype(np.float32),
        left=(np.tile(left, case.trees) + shift).astype(np.int32),
        right=(np.tile(right, case.trees) + shift).astype(np.int32),
        missing_left=np.zeros(n, dtype=np.bool_),
        value=rng.normal(size=(n, 1)),
        n_features=case.features,
    )


def _sizes(depth: int) -> np.ndarray:
    """Return how many nodes lie at and below each node of a complete tree, depth first."""
    sizes = np.ones(1, dtype=np.int64)
    for _ in range(depth):
        sizes = np.concatenate([[2 * len(sizes) + 1], sizes, sizes])
    return sizes


def _measured(name: str, value: int) -> Cost:
    case = replace(Case(), **{name: value})
    rng = np.random.default_rng(0)
    forest = complete_forest(case, rng)
    x = rng.uniform(size=(case.rows, case.features)).astype(np.float32)
    singles = rng.uniform(size=(1000, case.features)).astype(np.float32)
    packed = [struct.pack(f"{case.features}f", *row) for row in singles]
    one = min(_one(forest, packed) for _ in range(5))
    batch = min(_batch(forest, x) for _ in range(3))
    cost = Cost(case, one, batch)
    nanos = cost.per_decision(one, 1), cost.per_decision(batch, case.rows)
    row, rows = f"{one * 1e6:,.1f} | {nanos[0]:.2f}", f"{batch * 1e3:,.3g} | {nanos[1]:.2f}"
    print(f"| {name} | {value:,} | {cost.size:,.0f} | {row} | {rows} |", flush=True)
    return cost


def _one(forest: FlatForest, rows: list[bytes]) -> float:
    start = time.perf_counter()
    for row in rows:
        forest.sums_row(row)
    return (time.perf_counter() - start) / len(rows)


def _batch(forest: FlatForest, x: np.ndarray) -> float:
    repeats = max(1, 1_000 // len(x))
    start = time.perf_counter()
    for _ in range(repeats):
        forest.sums(x)
    return (time.perf_counter() - start) / repeats


def _figure(found: dict[str, list[Cost]]) -> go.Figure:
    figure = make_subplots(rows=2, cols=2, subplot_titles=[f"{name} (else: {_others(name)})" for name in found])
    for at, (name, costs) in enumerate(found.items()):
        where = {"row": at // 2 + 1, "col": at % 2 + 1}
        values = [getattr(cost.case, name) for cost in costs]
        batch = [cost.per_decision(cost.batch, cost.case.rows) for cost in costs]
        one = [cost.per_decision(cost.one, 1) for cost in costs]
        for label, y, colour in (("one row", one, "#d55e00"), ("batch", batch, "#0072b2")):
            if name != "rows" or label == "batch":
                line = {"color": colour}
                trace = go.Scatter(x=values, y=y, name=label, line=line, mode="lines+markers", showlegend=at == 0)
                figure.add_trace(trace, **where)
        figure.update_xaxes(type="log", title_text=name, **where)
        figure.update_yaxes(type="log", title_text="ns a decision", **where)
    figure.update_layout(title=f"Flat forest, {KERNEL} kernel", template="plotly_white", width=1200, height=850)
    return figure


def _others(name: str) -> str:
    default = Case()
    return ", ".join(f"{other} {getattr(default, other):,}" for other in SWEEPS if other != name)


def _picture(folder: Path) -> None:
    if not CHROMIUM.exists():
        print("no growth.png: there is no /usr/bin/chromium")
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only here, and only where there is a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1220, "height": 870})
        page.goto((folder / "growth.html").resolve().as_uri())
        page.wait_for_selector(".main-svg")
        page.screenshot(path=folder / "growth.png")
        browser.close()


if __name__ == "__main__":
    main()
