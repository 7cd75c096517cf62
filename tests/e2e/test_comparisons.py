"""Pages for people who come from elsewhere tell what happens; examples for other engines parse."""

import doctest
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Self

import click
import pytest
import yaml
from support.cli import ROOT, TIMEOUT, Running, environment, free_port, tunegate
from support.serving.code_blocks import blocks

from tunegate.cli import root

PAGES = sorted((ROOT / "docs" / "from").glob("*.md"))
ORCHESTRATORS = ROOT / "examples" / "orchestrators"


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


def parse(command: str) -> None:
    """Parse a command's options and arguments, without running it."""
    program, name, *arguments = shlex.split(command)
    assert program == "tunegate"
    found = root.commands[name]
    if not isinstance(found, click.Group):
        found.make_context(name, arguments, resilient_parsing=False).close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("houses.csv", "houses.toml", "new.csv", "experiment.yaml"):
        (tmp_path / name).touch()
    commands = re.findall(r"`(tunegate \w[^`]*)`", page.read_text())
    assert commands
    for command in commands:
        parse(command)


class Operator:
    """As much of Airflow's operator and DAG as the example uses."""

    made: ClassVar["list[Operator]"] = []

    def __init__(self, *_: object, **options: object) -> None:
        self.options = options
        self.made.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __rshift__(self, other: object) -> object:
        return other


def airflow_commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, attribute in (
        ("airflow.providers.standard.operators.bash", "BashOperator"),
        ("airflow.sdk", "DAG"),
    ):
        module = ModuleType(name)
        setattr(module, attribute, Operator)
        monkeypatch.setitem(sys.modules, name, module)
    for package in ("airflow", "airflow.providers", "airflow.providers.standard"):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    monkeypatch.setitem(
        sys.modules,
        "airflow.providers.standard.operators",
        ModuleType("airflow.providers.standard.operators"),
    )
    Operator.made.clear()
    runpy.run_path(str(ORCHESTRATORS / "airflow_dag.py"))
    for each in Operator.made:
        if "bash_command" in each.options:
            yield str(each.options["bash_command"])


def test_airflows_tasks_are_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = list(airflow_commands(monkeypatch))
    assert [command.split()[1] for command in commands] == ["tune", "report", "promote", "smoke"]
    for command in commands:
        parse(command)


def test_argos_steps_are_commands() -> None:
    document = yaml.safe_load((ORCHESTRATORS / "argo_workflow.yaml").read_text())
    templates = {each["name"]: each for each in document["spec"]["templates"]}
    steps = [step["template"] for [step] in templates[document["spec"]["entrypoint"]]["steps"]]
    assert steps == ["tune", "promote", "history"]
    for name in steps:
        parse(shlex.join(templates[name]["container"]["command"]))
