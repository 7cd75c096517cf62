"""`smoke`."""

import click

from promote.smoke import smoke_test
from tunegate.commands import options
from tunegate.errors import ExitCode
from tunegate.output import emit, say
from tunegate.promotion.candidates import require_champion


@click.command()
@options.url
@options.places
@options.api_key
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=30.0,
    show_default=True,
    help="Seconds to wait for the right version.",
)
@click.option(
    "--max-latency",
    type=options.SECONDS,
    default=0.25,
    show_default=True,
    help="Seconds that the median answer may take.",
)
@options.json
def smoke(timeout: float, max_latency: float, *, json: bool, **flags: options.Flags) -> int:
    """Test that a running service answers as the package in production does.

    Example: tunegate smoke --url http://127.0.0.1:8000
    """
    workspace = options.workspace(**flags)
    package = require_champion(workspace, hint="`tunegate run` first")
    package.require_model()
    settings = workspace.settings
    url = settings.url or settings.address
    report = smoke_test(url, package, timeout=timeout, max_latency=max_latency, key=settings.key)
    for check in report.checks:
        result = "ok" if check.passed else "FAILED"
        say(f"{result}  {check.name}: {check.detail}")
    if json:
        emit(report.to_dict())
    if report.passed:
        return ExitCode.DONE
    return ExitCode.SMOKE_FAILED
