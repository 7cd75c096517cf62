"""The README's commands work as written, on another port and in another state folder."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import ROOT, TIMEOUT, Running, environment, free_port

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        "TUNEGATE_STATE": str(tmp_path_factory.mktemp("readme")),
        "TUNEGATE_PORT": str(free_port()),
    }


def _shell(command: str, place: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = command.replace("127.0.0.1:8000", f"127.0.0.1:{place['TUNEGATE_PORT']}")
    command = command.replace("report.html", f"{place['TUNEGATE_STATE']}/written.html")
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=ROOT,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.fixture(scope="module")
def served(place: dict[str, str]) -> Iterator[str]:
    """Start the README's first command and leave it serving; yields what it said."""
    command = Running((), place, command=[str(ROOT / "scripts" / "run")])
    try:
        command.wait_for("Ctrl-C stops")
        yield command.output
        command.signal(signal.SIGINT)
        assert command.wait() == 0
    finally:
        command.close()


def test_the_first_transcript_is_what_happens(served: str) -> None:
    """Lines of the transcript without a number that depends on the machine appear verbatim."""
    transcript = _blocks("console")[0].splitlines()
    assert transcript[0] == "$ scripts/run"
    lines = [
        line
        for line in transcript[1:]
        if not re.search(r"\d\.\d|^\.\.\.$|[0-9a-f]{12}|curl|127|took \d", line)
    ]
    assert len(lines) >= 3
    for line in lines:
        assert line in served


def test_every_shell_command_works_while_it_serves(served: str, place: dict[str, str]) -> None:
    commands = [line for block in _blocks("sh") for line in block.strip().splitlines()]
    assert len(commands) >= 8
    for command in commands:
        done = _shell(command, place)
        expected = {1} if "rollback" in command else {0}  # a first model has nothing to return to
        assert done.returncode in expected, f"{command}\n{done.stdout}\n{done.stderr}"


def test_curl_answers_in_the_form_shown(served: str, place: dict[str, str]) -> None:
    command = next(block for block in _blocks("sh") if block.startswith("curl"))
    answer = json.loads(_shell(command, place).stdout)
    shown = json.loads(_blocks("json")[0])
    assert answer.keys() == shown.keys()
    assert (
        abs(answer["predicted_price"] - shown["predicted_price"]) < 3
    )  # another numpy, another last bit or tree
    assert re.fullmatch(r"[0-9a-f]{64}", answer["model_version"])


def test_the_toml_shown_is_the_example_shipped() -> None:
    import tomllib

    shown = tomllib.loads(_blocks("toml")[0])
    assert shown == tomllib.loads((ROOT / "examples" / "flats.toml").read_text())
    assert (ROOT / "examples" / shown["source"]).exists()


def test_files_that_the_readme_names_exist() -> None:
    for name in re.findall(r"`((?:scripts|manifests|docs|examples)/[\w./-]+)`", README):
        assert Path(ROOT / name).exists(), name
