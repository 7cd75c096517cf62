"""`lint`."""

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import version
from typing import Any

import click

from katib.lint.catalogue import rules
from katib.lint.finding import Finding
from katib.lint.sarif import sarif
from tunegate.commands import options
from tunegate.console import console, emit, say
from tunegate.errors import ExitCode, UsageError
from tunegate.lint_files import Linted, Scope, difference, mended, read, write


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    help="Files, folders, or - for stdin; several documents a file are fine.",
)
@click.option(
    "--on",
    type=options.BACKS,
    help="Where it is to run: katib leaves this machine's limits out, local makes them count.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([str(form) for form in Format]),
    default=Format.TEXT.value,
    show_default=True,
    help="text on stderr; json or sarif (2.1.0) on stdout.",
)
@options.json
@click.option(
    "--fix", is_flag=True, help="Mend what is safe to mend in the files; of stdin, on stdout."
)
@click.option(
    "--diff", is_flag=True, help="Show what --fix would change on stdout, and change nothing."
)
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--ignore", multiple=True, help="A code to pass over; may be repeated.")
def lint(
    files: Sequence[str],
    *,
    on: str | None,
    form: str,
    json: bool,
    fix: bool,
    diff: bool,
    strict: bool,
    ignore: Sequence[str],
) -> int:
    """Check Experiments offline: what Katib refuses, what it hangs on, what this machine cannot run.

    Exits with 0 when there is no error, with 2 when one is left. docs/lint.md explains every code.

    Example: tunegate lint manifests/experiment.yaml
    """
    form = Format.JSON if json else form
    scope = Scope(on or "", _known(ignore))
    _agree(files, form, fix=fix, diff=diff)
    found = list(read(files, scope))
    if fix or diff:
        found = [_mend(linted, scope, diff=diff) for linted in found]
    if not found:
        raise UsageError(
            "no Experiment in there",
            hint="name a file, or a folder with .yaml, .yml or .json files",
        )
    _show(found, form)
    failing = {"error", "warning"} if strict else {"error"}
    failed = any(finding.severity in failing for linted in found for finding in linted.findings)
    return ExitCode.USAGE if failed else ExitCode.DONE


def _known(ignored: Sequence[str]) -> frozenset[str]:
    for code in ignored:
        if code not in rules():
            raise UsageError(
                f"--ignore {code}: there is no such code", hint="docs/lint.md has them all"
            )
    return frozenset(ignored)


def _agree(files: Sequence[str], form: str, *, fix: bool, diff: bool) -> None:
    if form != Format.TEXT and (diff or (fix and "-" in files)):
        raise UsageError(
            "the mended text and the findings would both go to stdout", hint="leave --format out"
        )


def _mend(before: Linted, scope: Scope, *, diff: bool) -> Linted:
    after, count = mended(before, scope)
    if diff:
        sys.stdout.write(difference(before, after))
        return before
    if count and before.path:
        try:
            write(after)
        except OSError as error:
            raise UsageError(
                f"{before.name}: cannot be written: {error.strerror}", hint="try --diff"
            ) from error
        say(f"{before.name}: mended {count}")
    if before.name == "stdin":
        sys.stdout.write(after.text)
    return after


def _show(found: Sequence[Linted], form: str) -> None:
    findings = [finding for linted in found for finding in linted.findings]
    if form == Format.SARIF:
        emit(sarif(findings, {linted.name: linted.text for linted in found}, version("tunegate")))
        return
    if form == Format.JSON:
        emit([_entry(finding) for finding in findings])
    explained: set[str] = set()
    for finding in findings:
        say(f"{finding.severity}{', only here' if finding.for_local_only else ''}: {finding}")
        if finding.code not in explained:
            say(
                textwrap.fill(
                    finding.why, console.width, initial_indent="    ", subsequent_indent="    "
                )
            )
        explained.add(finding.code)
    say(_summary(findings, len(found)))


def _entry(finding: Finding) -> dict[str, Any]:
    names = ("code", "severity", "source", "line", "column", "field", "message", "fix", "why")
    entry = {name: getattr(finding, name) for name in names}
    return {**entry, "only_local": finding.for_local_only, "mends": finding.replacement is not None}


def _summary(findings: Sequence[Finding], files: int) -> str:
    where = f"{files} file{'s' if files > 1 else ''}"
    if not findings:
        return f"{where}, nothing to mend"
    counts = Counter(str(finding.severity) for finding in findings)
    severities = ("error", "warning", "note")
    shown = ", ".join(
        f"{counts[s]} {s}{'s' if counts[s] > 1 else ''}" for s in severities if counts[s]
    )
    mends = sum(finding.replacement is not None for finding in findings)
    return f"{where}: {shown}" + (f"; --fix mends {mends}" if mends else "")
