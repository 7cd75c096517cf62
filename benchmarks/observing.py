"""What counting, the version header, the request's id and the access log cost, in CPU an answer.

    python -m benchmarks.observing [--rounds N] [--seconds S]

The same server four times, asked in turn: as shipped; without the log; also without metrics and
version header; also without request ids. Each step's cost is its share of the answer's CPU in the
step before it.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from benchmarks.serving.closed import CONNECTIONS, medians, rounds
from benchmarks.serving.model import make_fixture
from benchmarks.serving.running import running
from benchmarks.serving.servers import OURS, SERVERS, Server
from benchmarks.serving.wrk import require_wrk

UNCOUNTED = "{here}/uncounted.py"


def main() -> None:
    """Measure and print."""
    options = _arguments()
    require_wrk()
    with tempfile.TemporaryDirectory(prefix="observing-", ignore_cleanup_errors=True) as name:
        fixture = make_fixture(Path(name))
        variants = list(_variants())
        with running(variants, fixture) as (runs, missing):
            if missing:
                raise SystemExit("; ".join(missing.values()))
            found = medians(rounds(runs, fixture, seconds=options.seconds, n=options.rounds))
    for clients in CONNECTIONS:
        print(
            f"\nc={clients}\n\n"
            "| server | CPU us an answer | of which this step, % |\n| --- | --- | --- |"
        )
        cpu = [
            (variant.name, found[variant.routes[0].name, clients]["cpu"]) for variant in variants
        ]
        for (name, before), (_, after) in pairwise([*cpu, cpu[-1]]):
            print(f"| {name} | {before:.1f} | {(before - after) / before * 100:.1f} |")


def _variants() -> Iterator[Server]:
    ours = next(server for server in SERVERS if server.name == OURS)
    words = ours.command[3:]  # after the interpreter and `-m tunegate`
    steps = {
        "as shipped: the log": ours.command,
        "no log: metrics and version header": (*ours.command, "--no-access-log"),
        "neither: request ids": ("{python}", UNCOUNTED, *words, "--no-access-log"),
        "the answer": ("{python}", UNCOUNTED, "--nameless", *words, "--no-access-log"),
    }
    for name, command in steps.items():
        yield replace(
            ours, name=name, command=command, routes=(replace(ours.routes[0], name=name),)
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
