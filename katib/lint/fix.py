"""Mend the text itself, so that comments and layout stay: changes of single pieces, never a dump of the document."""

import re
from collections.abc import Callable, Sequence

from katib.document import Document
from katib.lint.finding import Finding, Replacement
from katib.lint.problem import Edit

PASSES = 10  # a field that was misspelt shows what is wrong inside it only then
PLAIN = re.compile(r"[\w./+-]+")  # a scalar in one word, which no anchor, tag or fold can hide in


def replacement(document: Document, edit: Edit) -> Replacement | None:
    """Return the change of the text that an edit is; None where it cannot be made for certain."""
    if edit.path not in document.spans:
        return None
    return {"value": _value, "key": _key, "before": _before, "remove": _remove}[edit.part](
        document, edit
    )


def mend(text: str, lint: Callable[[str], Sequence[Finding]]) -> tuple[str, list[Finding]]:
    """Make all changes that findings bring, again until none is left.

    Args:
        text: what is to be mended.
        lint: finds what is wrong with a text.

    Returns:
        The new text, and the findings that were mended.
    """
    mended: list[Finding] = []
    for _ in range(PASSES):
        found = [finding for finding in lint(text) if finding.replacement]
        changes = _apart(found)
        if not changes:
            break
        after = _applied(text, changes)
        if (_codes(lint(after)) - _codes(lint(text))) & {"K001", "K002", "K105"}:
            break
        text = after
        mended = mended + changes
    return text, mended


def _codes(findings: Sequence[Finding]) -> set[str]:
    return {finding.code for finding in findings}


def _apart(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out changes of what another one changes already."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda f: f.replacement or (0, 0, "")):
        start = finding.replacement.start if finding.replacement else 0
        if all(
            start >= other.replacement.end and start > other.replacement.start
            for other in kept
            if other.replacement
        ):
            kept.append(finding)
    return kept


def _applied(text: str, findings: Sequence[Finding]) -> str:
    for finding in reversed(findings):
        if finding.replacement:
            start, end, new = finding.replacement
            text = text[:start] + new + text[end:]
    return text


def _value(document: Document, edit: Edit) -> Replacement | None:
    start, end = document.spans[edit.path].value
    written = document.text[start:end]
    if len(written) > 1 and written[0] == written[-1] and written[0] in "'\"":
        bare = written[1:-1]
    else:
        bare = written
    if not PLAIN.fullmatch(bare):
        return None
    # A number is quoted as it was written: 1e-3 stays 1e-3. One that only YAML 1.1 knows (010, 1_000, yes) is not.
    if edit.text.startswith('"') and edit.text.endswith('"') and bare == written:
        if _clear(bare):
            return Replacement(start, end, f'"{bare}"')
        return None
    if bare != written and not _clear(edit.text):
        quote = written[0]
    else:
        quote = ""
    return Replacement(start, end, f"{quote}{edit.text}{quote}")


def _clear(word: str) -> bool:
    """Whether a word is a number or boolean in every version of YAML."""
    return bool(
        re.fullmatch(
            r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|True|False", word
        )
    )


def _key(document: Document, edit: Edit) -> Replacement | None:
    span = document.spans[edit.path].key
    if (
        span is None
        or edit.path in document.repeated
        or document.text[slice(*span)] != edit.path[-1]
    ):
        return None
    return Replacement(*span, edit.text)


def _before(document: Document, edit: Edit) -> Replacement | None:
    start, _ = document.spans[edit.path].value
    if not document.spans[edit.path].is_block:
        return None
    line = document.text.rfind("\n", 0, start) + 1
    if document.text[max(line - 2, 0) : line] == "\r\n":
        end = "\r\n"
    else:
        end = "\n"
    return Replacement(start, start, f"{edit.text}{end}{' ' * (start - line)}")


def _remove(document: Document, edit: Edit) -> Replacement | None:
    """Take away whole lines, where the field fills them and is not the only one of its mapping."""
    span = document.spans[edit.path]
    around = document.spans[edit.path[:-1]]
    siblings = document.get(*edit.path[:-1], default={})
    if (
        span.key is None
        or not around.is_block
        or not isinstance(siblings, dict)
        or len(siblings) <= 1
    ):
        return None
    text = document.text
    first = text.rfind("\n", 0, span.key[0]) + 1
    last = text.find("\n", max(span.value[1], span.key[1]))
    last = len(text) if last < 0 else last + 1
    rest = text[max(span.value[1], span.key[1]) : last].lstrip(":").strip()
    alone = not text[first : span.key[0]].strip() and (not rest or rest.startswith("#"))
    return Replacement(first, last, "") if alone else None
