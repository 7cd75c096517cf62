"""Serve suggestions: `python -m katib.suggestion [--port 6789] [--host 0.0.0.0]`.

A SIGTERM ends the service within a second.
"""

import sys

from katib.suggestion.server import option_parser, run_service
from katib.suggestion.service import NAME, Suggestion


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    given = option_parser("katib.suggestion", "Katib's Suggestion service.", 6789).parse_args()
    return run_service(f"{given.host}:{given.port}", NAME, Suggestion().methods)


if __name__ == "__main__":
    sys.exit(main())
