"""What every command writes: sentences for people on stderr, results on stdout, without rich."""

import json
import sys

# Bell, backspace, line breaks, ...: a sentence stays one line, whatever is quoted in it.
DROPPED = dict.fromkeys((7, 8, 11, 12, 13))


def say(text: str) -> None:
    """Write a sentence on stderr; rich, while it draws a progress bar, puts it above the bar."""
    sys.stderr.write(text.translate(DROPPED) + "\n")
    sys.stderr.flush()


def emit(document: object) -> None:
    """Print a result as JSON on stdout."""
    sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
    sys.stdout.flush()


def emit_event(kind: str, **fields: object) -> None:
    """Print an event as one line of JSON on stdout."""
    sys.stdout.write(json.dumps({"event": kind, **fields}, allow_nan=False) + "\n")
    sys.stdout.flush()


def elapsed_text(seconds: float) -> str:
    """Return a duration as people write it: `52 s`, `4 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{rest} s"
