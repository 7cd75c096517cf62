"""Let real processes do the same thing at the same moment.

Each process waits at a barrier before every round, so that they start within microseconds of each
other.
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from registry import ModelStore, RegistryError
from registry.package import load_package
from registry.sqlite import SqliteLedger
from support.patience import patience
from support.registry.ledgers import outcome, promotion

SECONDS = patience(60)
Step = Callable[[int], str]  # the round's number -> what happened


def run_race(race: str, place: Path, *, processes: int, rounds: int) -> list[list[str]]:
    """Return, for each step of each round, what every process reported."""
    context = multiprocessing.get_context(
        "spawn"
    )  # a fork would copy the threads of numpy and the test runner
    barrier = context.Barrier(processes)
    results = context.Queue()
    racers = [
        context.Process(
            target=_take_part, args=(race, place, number, rounds, barrier, results), daemon=True
        )
        for number in range(processes)
    ]
    for racer in racers:
        racer.start()
    reports = [results.get(timeout=SECONDS) for _ in racers]
    for racer in racers:
        racer.join(SECONDS)
    return [sorted(step) for step in zip(*reports, strict=True)]


def _take_part(
    race: str,
    place: Path,
    racer: int,
    rounds: int,
    barrier: Barrier,
    results: Any,  # noqa: ANN401 - a queue
) -> None:
    steps = RACES[race](place, racer)
    report = []
    for number in range(1, rounds + 1):
        for step in steps:
            barrier.wait(SECONDS)
            try:
                report.append(step(number))
            except RegistryError as error:
                report.append(f"{type(error).__name__}: {error}")
    results.put(report)


def _add(place: Path, _: int) -> list[Step]:
    package = load_package(place)

    def add(number: int) -> str:
        ModelStore(place.parent / f"store-{number}").add(package)
        return "added"

    return [add]


def _create(ledger: SqliteLedger, number: int, racer: int) -> str:
    ledger.create(promotion(number, actor=f"racer {racer}"))
    return "created"


def _first(place: Path, racer: int) -> list[Step]:
    """Everybody creates number 1, each round in a file that does not exist yet."""
    return [lambda number: _create(SqliteLedger(place / f"{number}.db"), 1, racer)]


def _next(place: Path, racer: int) -> list[Step]:
    """Everybody creates the next number, then everybody closes it."""
    ledger = SqliteLedger(place / "ledger.db")

    def close(number: int) -> str:
        ledger.close("houses", number, outcome(note=f"racer {racer}"))
        return "closed"

    return [lambda number: _create(ledger, number, racer), close]


RACES: dict[str, Callable[[Path, int], list[Step]]] = {"add": _add, "first": _first, "next": _next}
