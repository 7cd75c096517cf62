"""A real server in a process of its own: `python -m support.server_process STORE MODEL DRAIN` prints its port."""

import sys
from pathlib import Path

from api.serve import bind, serve

if __name__ == "__main__":
    listener = bind("127.0.0.1", 0)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    serve(Path(sys.argv[1]), sys.argv[2], listener, drain=float(sys.argv[3]), until_eof=True)
