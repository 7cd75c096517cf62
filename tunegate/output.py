"""What every command writes: sentences for people on stderr, results on stdout. Needs no terminal library."""

import json
import sys
from typing import Any

DROPPED = dict.fromkeys(
    (7, 8, 11, 12, 13)
)  # bell, backspace, ...: a sentence is one line, whatever is quoted in it


def say(text: str) -> None:
    """Tell people something; above a progress bar, where one is drawn: it takes over stderr meanwhile."""
    sys.stderr.write(text.translate(DROPPED) + "\n")
    sys.stderr.flush()


def emit(document: Any) -> None:  # noqa: ANN401 - JSON
    """Print a result as JSON on stdout."""
    sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
    sys.stdout.flush()


def event(kind: str, **fields: object) -> None:
    """Print what has happened as one line of JSON on stdout."""
    sys.stdout.write(json.dumps({"event": kind, **fields}, allow_nan=False) + "\n")
    sys.stdout.flush()
