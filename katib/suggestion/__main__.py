"""Serve suggestions: `python -m katib.suggestion [--port 6789] [--host 0.0.0.0]`; ends on SIGTERM, within a second."""

import sys

from katib.suggestion.server import options, run
from katib.suggestion.service import NAME, Suggestion


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    given = options("katib.suggestion", "Katib's Suggestion service.", 6789).parse_args()
    return run(f"{given.host}:{given.port}", NAME, Suggestion().methods)


if __name__ == "__main__":
    sys.exit(main())
