"""Serve early stopping: `python -m katib.earlystopping [--port 6788] [--host 0.0.0.0]`.

A SIGTERM ends the service within a second.
"""

import os
import sys
from pathlib import Path

from katib.earlystopping.observation import DATABASE, ReportDatabase
from katib.earlystopping.service import NAME, EarlyStopping
from katib.earlystopping.status import TrialStatuses
from katib.suggestion.server import option_parser, run_service

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    parser = option_parser("katib.earlystopping", "Katib's EarlyStopping service.", 6788)
    parser.add_argument(
        "--account", type=Path, default=ACCOUNT, help="folder with token, ca.crt and namespace"
    )
    parser.add_argument(
        "--api-server", default=_api_server(), help="its address; a pod's environment names it"
    )
    parser.add_argument(
        "--database", default=DATABASE, help="Katib's DB manager, until a request names it"
    )
    given = parser.parse_args()
    trials = TrialStatuses(given.api_server, given.account)
    service = EarlyStopping(trials, ReportDatabase(given.database))
    return run_service(f"{given.host}:{given.port}", NAME, service.methods)


def _api_server() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return ""
    if ":" in host:  # IPv6
        return f"https://[{host}]:{port}"
    return f"https://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
