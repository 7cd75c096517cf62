"""Commands of tunegate that somebody else has written down."""

import shlex

import click

from tunegate.cli import root


def parse_command(command: str) -> None:
    """Parse a command's options and arguments, without running it."""
    program, name, *arguments = shlex.split(command)
    assert program == "tunegate"
    found = root.commands[name]
    if not isinstance(found, click.Group):
        found.make_context(name, arguments, resilient_parsing=False).close()
