"""The locks of other people's software, and the table of servers that are measured with it."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from benchmarks.serving.servers import SERVERS

ROOT = Path(__file__).parent.parent.parent
PEERS = ROOT / "requirements" / "peers"


@pytest.mark.parametrize("source", sorted(PEERS.glob("*.in")), ids=lambda path: path.stem)
def test_a_peers_lock_satisfies_its_source_has_hashes_and_names_no_registry(source: Path) -> None:
    text = source.with_suffix(".txt").read_text()
    pins = dict(re.findall(r"^([a-zA-Z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, re.MULTILINE))
    wanted = [line for line in source.read_text().splitlines() if not line.startswith("#")]
    for line in wanted:
        requirement = Requirement(line.partition("  #")[0])
        assert requirement.specifier.contains(pins[requirement.name.lower()]), line
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pins)


def test_every_server_has_an_environment_that_can_be_made() -> None:
    known = {path.stem for path in PEERS.glob("*.txt")} | {"tunegate"}
    assert {server.environment for server in SERVERS} <= known


def test_peers_serve_the_forest_with_the_trainers_scikit_learn() -> None:
    pin = r"^scikit-learn==\S+"
    ours = re.findall(pin, (ROOT / "requirements" / "trainer.txt").read_text(), re.MULTILINE)
    for server in SERVERS:
        if server.environment != "tunegate":
            lock = (PEERS / f"{server.environment}.txt").read_text()
            assert re.findall(pin, lock, re.MULTILINE) == ours, server.environment
