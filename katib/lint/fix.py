"""Fix the text itself: replace single pieces, so that comments, order and layout stay."""

import re
from collections.abc import Callable, Sequence

from katib.document import Document
from katib.lint.finding import Finding, Replacement
from katib.lint.violation import Edit

PASSES = 10  # what is wrong inside a misspelt field shows only once its name is right
PLAIN = re.compile(r"[\w./+-]+")  # a scalar in one word, which no anchor, tag or fold can hide in
# A number or boolean in every version of YAML.
UNAMBIGUOUS = re.compile(
    r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|True|False"
)
BLOCK_HEADER = re.compile(r"([|>])([1-9]?)[+]?([1-9]?)(?=[ \t\r\n])")
NO_LONGER_READ = {"K001", "K002", "K105"}


def plan_replacement(document: Document, edit: Edit) -> Replacement | None:
    """Return the change of the text that makes an edit; None if no change is safe."""
    if edit.path not in document.spans:
        return None
    planners = {
        "value": _replace_value,
        "key": _rename_key,
        "before": _insert_line,
        "remove": _remove_lines,
        "strip": _strip_block,
    }
    return planners[edit.part](document, edit)


def apply_fixes(
    text: str, lint: Callable[[str], Sequence[Finding]]
) -> tuple[str, Sequence[Finding]]:
    """Make all changes that findings bring, repeatedly until none is left.

    Args:
        text: the text to fix.
        lint: returns what is wrong with a text.

    Returns:
        The new text, and the findings that were fixed.
    """
    fixed: list[Finding] = []
    findings = lint(text)
    for _ in range(PASSES):
        changes = _without_overlaps(findings)
        changed = text
        for change, _finding in reversed(changes):
            changed = changed[: change.start] + change.text + changed[change.end :]
        remaining = lint(changed)
        new_codes = {f.code for f in remaining} - {f.code for f in findings}
        if not changes or new_codes & NO_LONGER_READ:
            break
        text = changed
        findings = remaining
        fixed += [finding for _change, finding in changes]
    return text, fixed


def _without_overlaps(findings: Sequence[Finding]) -> list[tuple[Replacement, Finding]]:
    """Return the changes in the order of the text, without those that overlap an earlier one."""
    changes = [(finding.replacement, finding) for finding in findings if finding.replacement]
    kept: list[tuple[Replacement, Finding]] = []
    for change, finding in sorted(changes, key=lambda pair: pair[0]):
        if not kept or (change.start >= kept[-1][0].end and change.start > kept[-1][0].start):
            kept.append((change, finding))
    return kept


def _replace_value(document: Document, edit: Edit) -> Replacement | None:
    start, end = document.spans[edit.path].value
    written = document.text[start:end]
    quote = ""
    bare = written
    if len(written) > 1 and written[0] == written[-1] and written[0] in "'\"":
        quote = written[0]
        bare = written[1:-1]
    if not PLAIN.fullmatch(bare):
        return None
    if not quote and edit.text.startswith('"') and edit.text.endswith('"'):
        # A number is quoted as it was written: 1e-3 stays 1e-3. Numbers that only YAML 1.1 knows
        # (010, 1_000, yes) are left alone.
        return Replacement(start, end, f'"{bare}"') if UNAMBIGUOUS.fullmatch(bare) else None
    if UNAMBIGUOUS.fullmatch(edit.text):
        quote = ""
    return Replacement(start, end, f"{quote}{edit.text}{quote}")


def _rename_key(document: Document, edit: Edit) -> Replacement | None:
    span = document.spans[edit.path].key
    if span is None or edit.path in document.repeated:
        return None
    if document.text[slice(*span)] != edit.path[-1]:
        return None
    return Replacement(*span, edit.text)


def _insert_line(document: Document, edit: Edit) -> Replacement | None:
    span = document.spans[edit.path]
    if not span.is_block:
        return None
    start, _ = span.value
    line = document.text.rfind("\n", 0, start) + 1
    line_end = "\r\n" if document.text[:line].endswith("\r\n") else "\n"
    return Replacement(start, start, f"{edit.text}{line_end}{' ' * (start - line)}")


def _strip_block(document: Document, edit: Edit) -> Replacement | None:
    """Write `|-` for `|` and `>-` for `>`."""
    start, _ = document.spans[edit.path].value
    header = BLOCK_HEADER.match(document.text, start)
    if header is None:
        return None
    return Replacement(header.start(), header.end(), f"{header[1]}-{header[2]}{header[3]}")


def _remove_lines(document: Document, edit: Edit) -> Replacement | None:
    """Remove whole lines, if the field fills them and is not the only one of its mapping."""
    span = document.spans[edit.path]
    siblings = document.get(*edit.path[:-1], default={})
    if span.key is None or not document.spans[edit.path[:-1]].is_block:
        return None
    if not isinstance(siblings, dict) or len(siblings) <= 1:
        return None
    text = document.text
    first = text.rfind("\n", 0, span.key[0]) + 1
    end = max(span.value[1], span.key[1])
    last = text.find("\n", end) + 1 or len(text)
    rest = text[end:last].lstrip(":").strip()
    if text[first : span.key[0]].strip() or (rest and not rest.startswith("#")):
        return None
    return Replacement(first, last, "")
