"""Each command is imported by itself, and quotes what it was given word by word."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from support.cli import environment, tunegate

from tunegate.cli import MODULES, root
from tunegate.commands import options

LOADED = (
    "[name.rpartition('.')[2] for name in sys.modules if name.startswith('tunegate.commands.')]"
)


def test_help_shows_all_commands_in_their_order() -> None:
    shown = [
        line.split()[0]
        for line in tunegate("--help").stdout.partition("Commands:")[2].splitlines()
        if line
    ]
    assert shown == list(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_each_command_is_called_by_its_name_and_has_help_with_an_example(name: str) -> None:
    command = root.commands[name]
    assert command.name == name
    assert isinstance(command, click.Group) or "Example: tunegate " in str(command.help)


def test_a_command_loads_its_own_module_and_no_other() -> None:
    """A server starts without the others, and without pydantic, a seventh of its memory."""
    code = (
        "import sys; from tunegate.cli import root; root.commands['serve']; "
        f"print({LOADED}, 'pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "['options', 'serve'] False\n"


def test_a_mistyped_command_is_answered_with_the_nearest_of_all() -> None:
    done = tunegate("promte")
    assert done.returncode == 2
    assert "promote" in done.stderr


def test_a_name_is_quoted_as_it_is_whatever_it_looks_like(tmp_path: Path) -> None:
    name = str(tmp_path / ":boom: [red]x[/].toml")
    done = tunegate("serve", "--data", name)
    assert done.returncode == 2
    assert name in done.stderr


@pytest.mark.parametrize("words", [[], ["--allow-schema-change"]])
def test_a_flag_that_is_not_given_leaves_the_environment_as_it_is(words: list[str]) -> None:
    @click.command()
    @options.judging
    def show(**flags: object) -> None:
        gate = options.settings(**flags).gate
        click.echo(f"{gate.allow_new_data} {gate.allow_schema_change}")

    result = CliRunner().invoke(show, words, env={"TUNEGATE_GATE__ALLOW_NEW_DATA": "true"})
    assert result.output == f"True {bool(words)}\n"
