"""Print docs/cli.md from the commands' own help, so that the page cannot be out of date."""

from collections.abc import Iterator

import click

from tunegate.cli import root
from tunegate.errors import ExitCode

HEAD = """# The command line

Made by `scripts/cli_docs.py` from the commands' own help. Results go to stdout (`--json`: as JSON),
everything else to stderr. Settings come from flags, then the environment (`TUNEGATE_STATE`,
`TUNEGATE_GATE__MODE`, ...), then `tunegate.toml`, then the defaults. `tunegate --debug COMMAND`
shows tracebacks.
"""
MEANINGS = {
    ExitCode.DONE: "done; for the gate: promoted",
    ExitCode.ERROR: "something went wrong; the message says what to do",
    ExitCode.USAGE: "wrong flags, settings, Experiment or data",
    ExitCode.KEPT: "the champion was kept",
    ExitCode.HELD: "no decision yet: not enough evidence, or waiting for approval",
    ExitCode.REFUSED: "the candidate, or the comparison, cannot be trusted",
    ExitCode.UNREACHABLE: "the ledger, or the cluster, does not answer",
    ExitCode.CONFLICT: "another promotion was faster, or is in flight",
    ExitCode.SMOKE_FAILED: "the service does not answer as the model does; promotion reverted",
    ExitCode.INTERRUPTED: "Ctrl-C",
}


def render() -> str:
    """Return the whole page."""
    codes = "\n".join(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())
    sections = "\n".join(_section(name, command) for name, command in _commands(root))
    exit_codes = f"## Exit codes\n\n| code | |\n|---|---|\n{codes}\n"
    return f"{HEAD}\n{exit_codes}\n{sections}\n## Gate settings\n\n{_gate_settings()}"


def _commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _section(name: str, command: click.Command) -> str:
    text = "\n".join(line.strip() for line in (command.help or "").strip().splitlines())
    summary, _, example = text.partition("Example: ")
    rows = "\n".join(_rows(command))
    table = f"| option | |\n|---|---|\n{rows}\n" if rows else ""
    return f"## {name}\n\n{summary.strip()}\n\n```sh\n{example.strip()}\n```\n\n{table}"


def _rows(command: click.Command) -> Iterator[str]:
    if command.name == "train":
        yield from _trainer_rows()
        return
    context = click.Context(command)
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or not parameter.hidden:
            flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
            yield f"| {flags} | {getattr(parameter, 'help', '')}{_default(parameter, context)} |"


def _trainer_rows() -> Iterator[str]:
    from trainer.__main__ import make_parser  # noqa: PLC0415 - brings scikit-learn

    for action in make_parser("tunegate train")._actions:  # noqa: SLF001 - argparse has no other way
        if action.dest != "help":
            flags = ", ".join(f"`{flag}`" for flag in action.option_strings)
            yield f"| {flags} | {action.help} |"


def _default(parameter: click.Parameter, context: click.Context) -> str:
    if isinstance(parameter, click.Option):
        default = parameter.get_help_extra(context).get("default", "")
        if default:
            return f" Default: {default.removeprefix('(').removesuffix(')')}."
    return ""


def _gate_settings() -> str:
    from promote.policy import GatePolicy  # noqa: PLC0415

    rows = "\n".join(
        f"| `gate.{name}` | `{value}` |" for name, value in GatePolicy().to_dict().items()
    )
    return (
        f"What each means is in `promote/policy.py`.\n\n| setting | default |\n|---|---|\n{rows}\n"
    )


if __name__ == "__main__":
    print(render(), end="")
