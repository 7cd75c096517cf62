"""Serve suggestions: `python -m katib.suggestion [--port 6789] [--host 0.0.0.0]`; ends on SIGTERM, within a second."""

import argparse
import logging
import signal
import sys

from katib.suggestion.server import start


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m katib.suggestion", description="Katib's Suggestion service.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen at")  # noqa: S104 - Katib's controller calls
    parser.add_argument("--port", type=int, default=6789, help="Katib expects 6789; 0 takes a free one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    try:
        server, port = start(f"{options.host}:{options.port}")
    except RuntimeError:
        sys.stderr.write(f"{options.host}:{options.port} cannot be listened at: name another with --port\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop(1))
    logging.getLogger("tunegate.suggestion").info("listening on port %d", port)
    server.wait_for_termination()
    return 0


if __name__ == "__main__":
    sys.exit(main())
