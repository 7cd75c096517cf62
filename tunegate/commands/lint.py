"""`lint`."""

import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import version
from typing import Any

import click

from katib.lint.catalogue import Severity, all_rules
from katib.lint.finding import Finding
from katib.lint.sarif import sarif_log
from tunegate.commands import options
from tunegate.console import console, emit, say
from tunegate.errors import ExitCode, UsageError
from tunegate.lint_files import (
    LintedText,
    LintScope,
    fix_linted,
    lint_files,
    unified_diff,
    write_linted,
)

INDENT = "    "  # of why a rule matters


class FindingFormat(StrEnum):
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
    help="Where it is to run: katib leaves this machine's limits out, local makes them errors.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([str(form) for form in FindingFormat]),
    default=FindingFormat.TEXT.value,
    show_default=True,
    help="text on stderr; json or sarif (2.1.0) on stdout.",
)
@options.json
@click.option(
    "--fix", is_flag=True, help="Fix what is safe to fix in the files; stdin goes fixed to stdout."
)
@click.option(
    "--diff", is_flag=True, help="Show what --fix would change on stdout, and change nothing."
)
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--ignore", multiple=True, help="A code to ignore; may be repeated.")
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
    """Check Experiments offline: what Katib refuses or hangs on, what this machine cannot run.

    Exits with 0 if there is no error, with 2 if one is left. docs/lint.md explains every code.

    Example: tunegate lint manifests/experiment.yaml
    """
    if json:
        form = FindingFormat.JSON
    scope = LintScope(on or "", _known_codes(ignore))
    if form != FindingFormat.TEXT and (diff or (fix and "-" in files)):
        message = "the fixed text and the findings would both go to stdout"
        raise UsageError(message, hint="leave --format out")
    found = list(lint_files(files, scope))
    if fix or diff:
        found = [_fix_text(linted, scope, diff=diff) for linted in found]
    if not found:
        hint = "name a file, or a folder with .yaml, .yml or .json files"
        raise UsageError("no Experiment in there", hint=hint)
    _show_findings(found, form)
    failing = {"error", "warning"} if strict else {"error"}
    failed = any(finding.severity in failing for linted in found for finding in linted.findings)
    return ExitCode.USAGE if failed else ExitCode.DONE


def _known_codes(ignored: Sequence[str]) -> frozenset[str]:
    for code in ignored:
        if code not in all_rules():
            message = f"--ignore {code}: there is no such code"
            raise UsageError(message, hint="docs/lint.md has them all")
    return frozenset(ignored)


def _fix_text(before: LintedText, scope: LintScope, *, diff: bool) -> LintedText:
    after, count = fix_linted(before, scope)
    if diff:
        sys.stdout.write(unified_diff(before, after))
        return before
    if count and before.path:
        try:
            write_linted(after)
        except OSError as error:
            message = f"{before.name}: cannot be written: {error.strerror}"
            raise UsageError(message, hint="try --diff") from error
        say(f"{before.name}: fixed {count}")
    if before.name == "stdin":
        sys.stdout.write(after.text)
    return after


def _show_findings(found: Sequence[LintedText], form: str) -> None:
    findings = [finding for linted in found for finding in linted.findings]
    if form == FindingFormat.SARIF:
        texts = {linted.name: linted.text for linted in found}
        emit(sarif_log(findings, texts, version("tunegate")))
        return
    if form == FindingFormat.JSON:
        emit([_json_entry(finding) for finding in findings])
    explained: set[str] = set()
    for finding in findings:
        say(f"{finding.severity}{', only here' if finding.for_local_only else ''}: {finding}")
        if finding.code not in explained:
            say(
                textwrap.fill(
                    finding.why, console.width, initial_indent=INDENT, subsequent_indent=INDENT
                )
            )
        explained.add(finding.code)
    say(_summary_line(findings, len(found)))


def _json_entry(finding: Finding) -> dict[str, Any]:
    names = ("code", "severity", "source", "line", "column", "field", "message", "fix", "why")
    return {
        **{name: getattr(finding, name) for name in names},
        "only_local": finding.for_local_only,
        "fixable": finding.replacement is not None,
    }


def _summary_line(findings: Sequence[Finding], files: int) -> str:
    where = _count(files, "file")
    if not findings:
        return f"{where}, nothing to fix"
    counts = Counter(finding.severity for finding in findings)
    severities: tuple[Severity, ...] = ("error", "warning", "note")
    shown = ", ".join(_count(counts[each], each) for each in severities if counts[each])
    fixable = sum(finding.replacement is not None for finding in findings)
    return f"{where}: {shown}" + (f"; --fix fixes {fixable}" if fixable else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"
