"""Pages for people who come from elsewhere name real commands, and tell what they do."""

import doctest
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.cli import ROOT, TIMEOUT, Running, environment, free_port, tunegate
from support.command_lines import parse_command
from support.serving.code_blocks import blocks

PAGES = sorted((ROOT / "docs" / "from").glob("*.md"))

# In a transcript, "..." stands for anything, and spaces for any others.
AS_SHOWN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A folder after `tunegate init` and `tunegate run`, smaller, which still serves; its port."""
    folder = tmp_path_factory.mktemp("houses")
    table = (ROOT / "examples" / "flats.csv").read_text().replace("rent", "price", 1)
    (folder / "houses.csv").write_text(table)
    done = tunegate("init", "houses.csv", "--target", "price", cwd=folder)
    assert done.returncode == 0, done.stderr
    experiment = folder / "houses-experiment.yaml"
    document = yaml.safe_load(experiment.read_text().replace("-estimators=200", "-estimators=20"))
    document["spec"] |= {"maxTrialCount": 2, "maxFailedTrialCount": 2}
    experiment.write_text(yaml.safe_dump(document))
    port = free_port()
    words = ("run", "houses-experiment.yaml", "--data", "houses.toml", "--port", port)
    server = Running(words, None, cwd=folder)
    try:
        server.wait_for("Ctrl-C stops")
        yield folder, port
        server.signal(signal.SIGINT)
        assert server.wait() == 0
    finally:
        server.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_transcript_of_a_page_is_what_happens(page: Path, served: tuple[Path, int]) -> None:
    folder, port = served
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TUNEGATE_PORT": str(port),
        "TUNEGATE_URL": f"http://127.0.0.1:{port}",
    }
    [transcript] = blocks(page, "console")
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", transcript, re.MULTILINE)
    assert steps
    for command, shown in steps:
        done = subprocess.run(
            ["/bin/sh", "-c", command.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
            cwd=folder,
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        printed = f"{done.stdout.rstrip()}\n"
        assert doctest.OutputChecker().check_output(shown, printed, AS_SHOWN), (
            f"{command}\nshown:\n{shown}\nprinted:\n{printed}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("houses.csv", "houses.toml", "new.csv", "experiment.yaml", "skopt.yaml"):
        (tmp_path / name).touch()
    commands = re.findall(r"`(tunegate \w[^`]*)`", page.read_text())
    assert commands
    for command in commands:
        parse_command(command)
