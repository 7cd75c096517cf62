"""Pages for people who come from elsewhere, and examples for other engines, name real commands."""

import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Self

import click
import pytest
import yaml
from support.cli import ROOT

from tunegate.cli import root

PAGES = sorted((ROOT / "docs" / "from").glob("*.md"))
ORCHESTRATORS = ROOT / "examples" / "orchestrators"


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
