"""`python -m benchmarks.serving`: start every server and measure them in turn.

It prints tables and keeps the figures as JSON.
"""

import argparse
import compileall
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.serving import tables
from benchmarks.serving.batches import SIZES, batches
from benchmarks.serving.closed import growth, medians, rounds, sweep, under_load
from benchmarks.serving.model import Fixture, make_fixture
from benchmarks.serving.openloop import open_loop
from benchmarks.serving.running import Running, installed, running
from benchmarks.serving.servers import BARE, OURS, PLAIN, SERVERS, TUTORIAL, Server
from benchmarks.serving.workers import workers
from benchmarks.serving.wrk import require_wrk

RATE = 1_100.0  # requests a second, of the open loop
ROOT = Path(__file__).parents[2]
OURS_INSTALLED = ("api", "promote", "registry", "trainer", "tunegate")


def main() -> None:
    """Measure and report."""
    options = _arguments()
    require_wrk()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # so that the servers are ended in order
    begun = time.monotonic()
    results: dict[str, Any] = {}
    for (
        package
    ) in OURS_INSTALLED:  # as those of the others are: this checkout is installed in place
        compileall.compile_dir(ROOT / package, quiet=1)
    with tempfile.TemporaryDirectory(prefix="serving-", ignore_cleanup_errors=True) as name:
        _say("training the forest")
        fixture = make_fixture(Path(name))
        results |= _beside_each_other(options, fixture)
        results |= _alone(options, fixture)
    _say(f"done in {time.monotonic() - begun:.0f} s")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    _say(f"all figures: {options.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="only servers whose name has one of these, and ours",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, small batches: to try, not to report"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all servers")
    parser.add_argument("--seconds", type=int, default=3, help="seconds a point of a round")
    parser.add_argument(
        "--output", type=Path, default=Path("build/serving.json"), help="where all figures go"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
        options.seconds = 1
    return options


def _chosen(only: list[str] | None) -> list[Server]:
    always = (OURS, PLAIN, BARE)
    wanted = [word.lower() for word in only or [""]]
    return [
        each
        for each in SERVERS
        if each.name in always or any(word in each.name.lower() for word in wanted)
    ]


def _beside_each_other(options: argparse.Namespace, fixture: Fixture) -> dict[str, Any]:
    sizes = SIZES[:2] if options.quick else SIZES
    servers = _chosen(options.only)
    _say(f"starting {len(servers)} servers")
    with running(servers, fixture) as (runs, missing):
        _require_ours(runs, missing)
        for name, why in missing.items():
            print(f"not measured: {name}: {why}\n", flush=True)
        sizes_mb = {run.server.name: _footprint(run) for run in runs}
        _show("Start, memory, size", tables.footprint(sizes_mb))
        _say("one row a request")
        samples = rounds(runs, fixture, seconds=options.seconds, n=options.rounds)
        found = medians(samples)
        models = {route.name: run.server.model for run, route in under_load(runs)}
        _show("One row a request", tables.one_row(found, models))
        _show("Against the floor", tables.against_the_floor(found))
        print(f"cores used by others meanwhile, median: {_others(found):.2f}\n")
        _say("batches")
        batch = batches(runs, fixture, sizes)
        _show("Many rows a request, one client", tables.batch(batch))
    return {
        "missing": missing,
        "footprint": sizes_mb,
        "samples": [asdict(sample) for sample in samples],
        "batches": batch,
    }


def _alone(options: argparse.Namespace, fixture: Fixture) -> dict[str, Any]:
    """Measure what needs ours, and the tutorial's, without neighbours."""
    servers = [each for each in SERVERS if each.name in (OURS, TUTORIAL)]
    with running(servers, fixture) as (runs, missing):
        _require_ours(runs, missing)
        _say("memory under load")
        grown = growth(runs[0], fixture, seconds=3 if options.quick else 20)
        _show("Memory under load", tables.growth(grown))
        _say("more and more clients")
        swept = sweep(runs[0], fixture, seconds=options.seconds)
        _show("More and more clients", tables.clients(swept))
        _say("one worker and two")
        pair = workers(runs[0], fixture, seconds=options.seconds, n=options.rounds)
        _show("One worker and two", tables.workers(pair))
        _say(f"open loop, {RATE:.0f} requests a second")
        outcomes = [
            open_loop(
                run, run.server.routes[0], fixture, rate=RATE, seconds=3 if options.quick else 30
            )
            for run in runs
        ]
        _show("Open loop", tables.open_loop(outcomes))
    swept_figures = [asdict(each) for each in swept]
    return {
        "growth": grown,
        "clients": swept_figures,
        "workers": pair,
        "open_loop": [asdict(each) for each in outcomes],
    }


def _footprint(run: Running) -> dict[str, float]:
    return {"ready": run.ready, "memory": run.pss, "installed": installed(run.server)}


def _others(found: tables.Medians) -> float:
    values = sorted(figures["others"] for figures in found.values())
    return values[len(values) // 2]


def _require_ours(runs: list[Running], missing: dict[str, str]) -> None:
    if OURS in missing or not runs:
        raise SystemExit(f"our own server does not start: {missing.get(OURS)}")


def _show(title: str, text: str) -> None:
    print(f"## {title}\n\n{text}\n", flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
