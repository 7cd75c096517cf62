"""How fast does a running server swap models, and does a request fail meanwhile?

One server, a few clients that ask all the time, and a pointer that goes back and forth between two models of 200 trees.
Counted: requests, failures, answers that neither model gives. Timed: from the pointer's rename to the first answer of
the new version.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import httpx

from registry import ModelStore, Pointer
from registry.package import ModelPackage, load_package

CLIENTS = 4


class Load:
    """Clients that ask until told to stop, and what they saw."""

    def __init__(self, url: str, packages: list[ModelPackage]) -> None:
        self.url, self.row = url, packages[0].golden.rows[0]
        table = {name: [value] for name, value in self.row.items()}
        self.expected = {package.digest: float(package.predict(table)[0, 0]) for package in packages}
        self.answers, self.failed, self.wrong = 0, 0, 0
        self.taken: list[float] = []
        self.stop = threading.Event()

    def run(self) -> None:
        """Ask until stopped."""
        with httpx.Client(base_url=self.url) as client:
            while not self.stop.is_set():
                start = time.perf_counter()
                try:
                    answer = client.post("/predict", json=self.row)
                    version, body = answer.headers["X-Model-Version"], answer.json()
                except (httpx.HTTPError, KeyError, ValueError):
                    self.failed += 1
                    continue
                self.taken.append(time.perf_counter() - start)
                self.answers += 1
                self.wrong += body["predicted_price"] != self.expected[version] or body["model_version"] != version


def main() -> None:
    """Swap under load and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=40)
    swaps = parser.parse_args().swaps
    with tempfile.TemporaryDirectory() as name:
        store = ModelStore(Path(name) / "store")
        packages = [_package(store, Path(name) / f"seed{seed}", seed) for seed in (1, 2)]
        store.point(Pointer(model="boston", number=1, sha256=packages[0].digest))
        process, url = _serve(store.root)
        try:
            load, times = _swap_under_load(store, packages, url, swaps)
        finally:
            process.terminate()
            process.wait()
    ordered = sorted(load.taken)
    print(f"{swaps} swaps under {CLIENTS} clients: {load.answers} answers, {load.failed} failed, {load.wrong} wrong")
    print(f"pointer to first new answer: median {median(times) * 1e3:.0f} ms, worst {max(times) * 1e3:.0f} ms")
    print(f"requests: median {median(ordered) * 1e3:.1f} ms, p99 {ordered[int(len(ordered) * 0.99)] * 1e3:.1f} ms")


def _package(store: ModelStore, folder: Path, seed: int) -> ModelPackage:
    words = ["-m", "trainer", "--data=boston", "--n-estimators=200", f"--seed={seed}", f"--output={folder}"]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    package = load_package(folder)
    store.add(package)
    return package


def _serve(root: Path) -> tuple["subprocess.Popen[bytes]", str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", "tunegate", "serve", "--data=boston", f"--store={root}", f"--port={port}"]
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == httpx.codes.OK:
                break
        except httpx.HTTPError:
            time.sleep(0.05)  # between two looks at the condition
    return process, url


def _swap_under_load(store: ModelStore, packages: list[ModelPackage], url: str, swaps: int) -> tuple[Load, list[float]]:
    load = Load(url, packages)
    threads = [threading.Thread(target=load.run) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    times = []
    with httpx.Client(base_url=url) as client:
        for swap in range(swaps):
            digest = packages[(swap + 1) % 2].digest
            start = time.perf_counter()
            store.point(Pointer(model="boston", number=swap + 2, sha256=digest))
            while client.get("/version").headers.get("X-Model-Version") != digest:
                pass
            times.append(time.perf_counter() - start)
    load.stop.set()
    for thread in threads:
        thread.join()
    return load, times


if __name__ == "__main__":
    main()
