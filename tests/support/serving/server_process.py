"""A real server in a process of its own, which prints its port.

    python -m support.serving.server_process STORE MODEL OPTIONS

OPTIONS is a JSON object: `api.server.run.Options` by name, `limits` one of `api.limits.Limits`.
"""

import json
import sys
from pathlib import Path

from api.limits import Limits
from api.server.run import Options, bind, serve_app

if __name__ == "__main__":
    options = json.loads(sys.argv[3])
    limits = Limits(**options.pop("limits", {}))
    if options.get("api_key"):
        options["api_key"] = Path(options["api_key"])
    listener = bind("127.0.0.1", 0)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    serve_app(
        Options(Path(sys.argv[1]), sys.argv[2], limits=limits, **options), listener, until_eof=True
    )
