"""The results as Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.serving.batches import KERNEL, Result
from benchmarks.serving.closed import CONNECTIONS
from benchmarks.serving.openloop import Outcome
from benchmarks.serving.servers import BARE, OURS
from benchmarks.serving.wrk import Sample

BINARY = f"{OURS} V2 binary"
Medians = dict[tuple[str, int], dict[str, float]]


def one_row(found: Medians, models: dict[str, str]) -> str:
    """Show rates and latencies under load, and how many times its rate ours is.

    Compared is the same protocol, if the server has it.
    """
    head = ["route", "model"]
    for n in CONNECTIONS:
        head += [
            f"c={n} req/s",
            "p50 / p95 / p99 ms",
            "CPU us",
            "rate, ours : its",
            "CPU, its : ours",
        ]
    rows = []
    for name, model in models.items():
        row = [name, model]
        for n in CONNECTIONS:
            figures = found[name, n]
            ours = found[counterpart(name), n]
            latencies = " / ".join(f"{figures[p]:.3g}" for p in ("p50", "p95", "p99"))
            failed = f" ({figures['failed']:.0f} failed)" if figures["failed"] else ""
            row += [
                f"{figures['rate']:,.0f}{failed}",
                latencies,
                f"{figures['cpu']:,.0f}",
                *_ratios(ours, figures),
            ]
        rows.append(row)
    return _table(head, rows)


def against_the_floor(found: Medians) -> str:
    """Show what part of the floor's rate ours keeps, and how its p99 and CPU compare."""
    ours = f"{OURS} /predict"
    rows = []
    for n in CONNECTIONS:
        mine = found[ours, n]
        floor = found[BARE, n]
        rows.append(
            [f"c={n}", *(f"{mine[name] / floor[name]:.2f}" for name in ("rate", "p99", "cpu"))]
        )
    return _table(["clients", "rate, ours / floor", "p99, ours / floor", "CPU, ours / floor"], rows)


def footprint(found: dict[str, dict[str, float]]) -> str:
    """Show start, memory and installed size, and each as a multiple of ours."""
    head = [
        "server",
        "start to first answer s",
        "its : ours",
        "memory MiB",
        "its : ours",
        "installed MB",
        "its : ours",
    ]
    rows = []
    for name, figures in found.items():
        row = [name]
        for key, form in (("ready", ".2f"), ("memory", ".0f"), ("installed", ".0f")):
            row += [format(figures[key], form), f"{figures[key] / found[OURS][key]:.1f}"]
        rows.append(row)
    return _table(head, rows)


def batch(found: dict[str, dict[int, Result]]) -> str:
    """Show ms a request for each number of rows; a reason where there is no figure."""
    sizes = list(found[KERNEL])
    head = [
        "route",
        *(f"{size:,} rows, ms" for size in sizes),
        f"{sizes[-1]:,} rows, its : {OURS} V2 binary",
    ]
    rows = [
        [
            name,
            *(_cell(figures[size]) for size in sizes),
            _times(figures[sizes[-1]], found[BINARY][sizes[-1]]),
        ]
        for name, figures in found.items()
    ]
    return _table(head, rows)


def open_loop(outcomes: Iterable[Outcome]) -> str:
    """Show what was offered and what came of it; latencies of all requests, answered or not."""
    head = [
        "route",
        "offered req/s",
        "achieved",
        "answered",
        "failed",
        "p50 ms",
        "p95 ms",
        "p99 ms",
    ]
    rows = [
        [
            each.route,
            f"{each.offered:,.0f}",
            f"{each.achieved:,.0f}",
            f"{each.answered:,} of {each.requests:,}",
            str(each.failed),
            *(
                f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
                for value in (each.p50, each.p95, each.p99)
            ),
        ]
        for each in outcomes
    ]
    return _table(head, rows)


def clients(samples: Iterable[Sample]) -> str:
    """Show one server under more and more clients."""
    rows = [
        [
            each.connections,
            f"{each.rate:,.0f}",
            *(f"{ms:.3g}" for ms in (each.p50, each.p99)),
            f"{each.cpu:.0f}",
        ]
        for each in samples
    ]
    return _table(["clients", "req/s", "p50 ms", "p99 ms", "CPU us"], rows)


def workers(found: dict[str, dict[str, dict[str, float]]] | str) -> str:
    """Show one worker beside two, and what two of anything reach here."""
    if isinstance(found, str):
        return f"not measured: {found}"
    head = [
        "load",
        "who",
        "answers/s",
        "to one worker",
        "cores used",
        "of which the idler process",
        "memory MiB",
    ]
    forms = {"rate": ",.0f", "ratio": ".2f", "cores": ".2f", "idler": ".2f", "memory": ".0f"}
    rows = [
        [
            load,
            name,
            *(format(figures[key], form) if key in figures else "-" for key, form in forms.items()),
        ]
        for load, each in found.items()
        for name, figures in each.items()
    ]
    return _table(head, rows)


def growth(found: dict[str, float]) -> str:
    """Show the growth of memory under load."""
    return (
        f"{found['per_100k']:.2f} MiB per 100,000 requests: "
        f"resident {found['before']:.1f} to {found['after']:.1f} MiB "
        f"in {found['requests']:,.0f} requests of a warm server"
    )


def counterpart(route: str) -> str:
    """Return the route of ours to compare with: the same protocol, else /predict."""
    protocol = next((name for name in ("V1", "V2") if route.endswith(name)), "/predict")
    return f"{OURS} {protocol}"


def _ratios(ours: dict[str, float], its: dict[str, float]) -> list[str]:
    pairs = ((ours["rate"], its["rate"]), (its["cpu"], ours["cpu"]))
    return [f"{above / below:.3g}" if below else "-" for above, below in pairs]


def _times(its: Result, ours: Result) -> str:
    return "-" if isinstance(its, str) or isinstance(ours, str) else f"{its / ours:.2f}"


def _cell(result: Result) -> str:
    return result[:60].replace("|", "/") if isinstance(result, str) else f"{result:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
