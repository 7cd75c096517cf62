"""How fast does a running server swap models, and what do requests notice of it?

One server, clients that ask all the time and check every answer, and a pointer that goes back and
forth between two models of 200 trees; every fifth time it names a damaged package instead, which
must be refused. Blocks of swaps and blocks without take turns, so that both latencies come from the
same minutes. Then the same with two workers: how long after the first is the last one on the new
version?
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.serving.clients import STEADY, SWAPPING, Clients, Seen
from benchmarks.serving.processes import Tree, free_ports
from registry import ModelStore, Pointer
from registry.package import ModelPackage, load_package

CLIENTS = 8
BLOCK = 10  # swaps between two steady blocks
BROKEN = 5  # every which pointer names a damaged package
PATIENCE = 30.0  # seconds for a swap
POLL = 0.002


@dataclass
class Swaps:
    """Seconds from the pointer's rename to the first and the last client's first new answer."""

    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    refused: int = 0


@dataclass
class Bench:
    """A server under load, and the packages that its pointer can name."""

    store: ModelStore
    packages: list[ModelPackage]
    broken: str
    url: str
    tree: Tree
    clients: Clients
    numbers: Iterator[int]
    before: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = self.tree.cpu_by_pid()

    def point(self, digest: str) -> float:
        """Let the server follow this package; returns when."""
        start = time.perf_counter()
        self.store.point(Pointer(model="boston", number=next(self.numbers), sha256=digest))
        return start

    def busy(self) -> int:
        """Return how many of the server's processes have done a tenth of the work or more."""
        cpu = [used - self.before.get(pid, 0.0) for pid, used in self.tree.cpu_by_pid().items()]
        return sum(each > 0.1 * sum(cpu) for each in cpu)

    def swap(self, index: int, swaps: Swaps) -> None:
        """Swap to a package and wait until every client has its answers."""
        start = self.point(self.packages[index].digest)
        _await(lambda: all(version == index for version in self.clients.version))
        swaps.first.append(min(self.clients.changed) - start)
        swaps.last.append(max(self.clients.changed) - start)

    def offer_broken(self, swaps: Swaps) -> None:
        """Point to the damaged package; wait until it is refused and every client has asked."""
        self.point(self.broken)
        _await(lambda: self.broken in str(httpx.get(f"{self.url}/version").json()["refused"]))
        swaps.refused += 1
        before = list(self.clients.answers)
        _await(
            lambda: all(
                now > then + 100 for now, then in zip(self.clients.answers, before, strict=True)
            )
        )


def main() -> None:
    """Swap under load and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument(
        "--requests", type=int, default=100_000, help="at least so many while swapping"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store = ModelStore(Path(name) / "store")
        packages = [_package(store, Path(name) / f"seed{seed}", seed) for seed in (1, 2)]
        broken = _broken(store, _package(store, Path(name) / "seed3", 3))
        for workers in options.workers:
            with _bench(store, packages, broken, workers) as bench:
                swaps = _swap_in_blocks(bench, options.swaps, options.requests)
                print(f"## {workers} worker(s), {bench.busy()} of them busy, {CLIENTS} clients\n")
                _report(swaps, bench.clients.stop())


def _swap_in_blocks(bench: Bench, n: int, requests: int) -> Swaps:
    """Swap `n` times and until there were as many requests; half of the time nothing is swapped."""
    swaps = Swaps()
    swapped = 0
    turn = itertools.count(1)
    while len(swaps.first) < n or swapped < requests:
        start = time.perf_counter()
        before = sum(bench.clients.answers)
        bench.clients.phase.value = SWAPPING
        for number in itertools.islice(turn, BLOCK):
            if number % BROKEN == 0:
                bench.offer_broken(swaps)
            bench.swap(number % 2, swaps)
        bench.clients.phase.value = STEADY
        swapped += sum(bench.clients.answers) - before
        time.sleep(time.perf_counter() - start)  # as long a block in which nothing is swapped
    return swaps


def _report(swaps: Swaps, seen: Seen) -> None:
    steady, swapping = (sorted(taken) for taken in seen.taken)
    print(f"{len(swaps.first)} swaps, {swaps.refused} damaged packages refused between them")
    print(
        f"{len(swapping):,} answers while swapping, {len(steady):,} between; "
        f"{seen.failed} failed, {seen.wrong} wrong"
    )
    print(
        f"pointer to first new answer: median {median(swaps.first) * 1e3:.0f} ms, "
        f"worst {max(swaps.first) * 1e3:.0f} ms"
    )
    gaps = [last - first for first, last in zip(swaps.first, swaps.last, strict=True)]
    print(
        f"first to last client on the new version: median {median(gaps) * 1e3:.0f} ms, "
        f"worst {max(gaps) * 1e3:.0f} ms"
    )
    for name, share in (("median", 0.5), ("p99", 0.99)):
        new = swapping[int(len(swapping) * share)]
        old = steady[int(len(steady) * share)]
        print(
            f"{name}: {new * 1e3:.2f} ms while swapping, {old * 1e3:.2f} ms between, "
            f"ratio {new / old:.2f}"
        )
    print(flush=True)


def _package(store: ModelStore, folder: Path, seed: int) -> ModelPackage:
    words = [
        "-m",
        "trainer",
        "--data=boston",
        "--n-estimators=200",
        f"--seed={seed}",
        f"--output={folder}",
    ]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    package = load_package(folder)
    store.add(package)
    return package


def _broken(store: ModelStore, package: ModelPackage) -> str:
    """Change one byte in the middle of the stored model's arrays; returns the package's digest."""
    path = store.model(package.digest) / "model.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return package.digest


@contextmanager
def _bench(
    store: ModelStore, packages: list[ModelPackage], broken: str, workers: int
) -> Iterator[Bench]:
    numbers = itertools.count(1)
    store.point(Pointer(model="boston", number=next(numbers), sha256=packages[0].digest))
    port = free_ports(1)[0]
    command = [
        sys.executable,
        "-m",
        "tunegate",
        "serve",
        "--data=boston",
        f"--store={store.root}",
        f"--port={port}",
    ]
    command += [f"--workers={workers}"] if workers > 1 else []
    tree = Tree.start(command, {}, store.root, store.root / "log")
    url = f"http://127.0.0.1:{port}"
    try:
        _await(lambda: _ready(tree, url))
        row = packages[0].golden.rows[0]
        expected = {package.digest: _prediction(package, row) for package in packages}
        with Clients(port, row, expected, CLIENTS) as clients:
            _await(lambda: all(clients.answers))
            yield Bench(store, packages, broken, url, tree, clients, numbers)
    finally:
        tree.stop()


def _prediction(package: ModelPackage, row: Mapping[str, Any]) -> float:
    return float(package.predict({name: [value] for name, value in row.items()})[0, 0])


def _ready(tree: Tree, url: str) -> bool:
    if tree.process.poll() is not None:
        raise SystemExit(f"the server does not start: {tree.reason()}")
    try:
        return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE:.0f} s for the server in vain")
        time.sleep(POLL)


if __name__ == "__main__":
    main()
