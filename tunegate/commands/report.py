"""`report`."""

from pathlib import Path

import click

from tunegate.commands import options
from tunegate.console import say
from tunegate.errors import ExitCode


@click.command()
@click.option(
    "--output",
    "-o",
    type=options.PATH,
    default="report.html",
    show_default=True,
    help="The HTML file to write.",
)
@options.data
@options.include
@options.state
@options.store
def report(output: Path, **flags: options.Flags) -> int:
    """Write the newest run, and the latest verdict where there is one, into one HTML file.

    Example: tunegate report --output report.html
    """
    from tunegate.report.page import write_report

    say(f"written: {write_report(options.workspace(**flags), output)}")
    return ExitCode.DONE
