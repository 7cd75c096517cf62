"""Commands come from the module of their name alone, and what they say is said word by word."""

from pathlib import Path

import pytest
import typer
from support.cli import tunegate

from tunegate.cli import COMMANDS, application

NAMES = [name for names in COMMANDS.values() for name in names]


def commands(*arguments: str) -> list[str]:
    return list(typer.main.get_command(application(arguments)).commands)  # type: ignore[attr-defined] # it is a group


@pytest.mark.parametrize("arguments", [(), ("--help",), ("no-such-command",), ("--debug",)])
def test_all_commands_are_there_where_none_of_them_is_named(arguments: tuple[str, ...]) -> None:
    assert commands(*arguments) == NAMES


@pytest.mark.parametrize("names", COMMANDS.values(), ids=COMMANDS)
def test_a_module_registers_the_commands_that_are_said_to_be_its(names: tuple[str, ...]) -> None:
    for name in names:
        assert commands(name) == commands("--debug", name, "--state", "tune") == list(names)


def test_a_mistyped_command_is_answered_with_the_nearest_of_all() -> None:
    done = tunegate("promte")
    assert done.returncode == 2
    assert "promote" in done.stderr


def test_a_name_is_quoted_as_it_is_whatever_it_looks_like(tmp_path: Path) -> None:
    name = str(tmp_path / ":boom: [red]x[/].toml")
    done = tunegate("serve", "--data", name)
    assert done.returncode == 2
    assert name in done.stderr
