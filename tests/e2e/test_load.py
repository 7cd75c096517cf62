"""The load tools that people know attack a real server; what comes of it is printed."""

import sys
from collections.abc import Iterator

import pytest
from support.cli import ROOT
from support.registry import toy_data as toy
from support.scripts import run
from support.serving.servers import Running, put, running

from registry import ModelStore

ATTACK = (sys.executable, "scripts/load/attack.py")
SECONDS = (3, 12, 48)
NOT_BEGUN = "sent no request"
PROGRAMS = {
    "vegeta": ROOT / ".tools" / "load" / "vegeta",
    "locust": ROOT / ".peers" / "locust" / "bin" / "locust",
    "k6": ROOT / ".tools" / "load" / "k6",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = toy.dataset(tmp_path_factory.mktemp("homes"), toy.homes())
    package = toy.package(data, tmp_path_factory.mktemp("package") / "homes-good", toy.GOOD)
    store = ModelStore(tmp_path_factory.mktemp("served") / "store")
    put(store, package)
    with running(store, package.manifest.name) as started:
        yield started


@pytest.mark.parametrize(
    ("tool", "size"),
    [
        ("vegeta", ("--rate=1100",)),
        ("locust", ("--users=10", "--spawn=10")),
        ("k6", ("--users=10", "--spawn=10")),
    ],
)
def test_a_known_tool_attacks_the_server(
    tool: str, size: tuple[str, ...], server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    if not PROGRAMS[tool].exists():
        pytest.skip(f"run scripts/load/tools {tool}")
    where = (f"--url={server.url}", f"--pid={server.process.pid}")
    done = run(*ATTACK, tool, *where, *size, f"--seconds={SECONDS[0]}")
    for seconds in SECONDS[1:]:  # a busy machine needs more of them until the tool has begun
        if NOT_BEGUN not in done.stderr:
            break
        done = run(*ATTACK, tool, *where, *size, f"--seconds={seconds}")
    with capsys.disabled():
        sys.stdout.write(f"\n{tool} {' '.join(size)}\n{done.stdout}")
    # 1: a request was not answered in 30 seconds, on a machine that has no time for it.
    assert done.returncode in {0, 1}, done.stderr
    names, _, cells = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.stdout.splitlines()
        if line.startswith("| ")
    )
    found = dict(zip(names, cells, strict=True))
    requests = int(found["requests"].replace(",", ""))
    assert requests > int(found["failed"].replace(",", ""))
    assert float(found["server's memory MiB"]) > 10
    assert "published" in done.stdout
    if tool == "vegeta":
        left = {path.name for path in (ROOT / "build" / "load" / "vegeta").iterdir()}
        assert {"histogram.txt", "report.json", "plot.html"} <= left


def test_a_server_that_does_not_run_is_an_error_with_a_hint() -> None:
    done = run(*ATTACK, "vegeta", "--url=http://127.0.0.1:9")
    assert done.returncode == 2
    assert "tunegate serve" in done.stderr


def test_an_unknown_tool_is_an_error() -> None:
    done = run("scripts/load/tools", "ab")
    assert done.returncode == 2
    assert "known: vegeta k6 locust" in done.stderr
