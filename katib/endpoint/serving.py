"""Run the endpoint under uvicorn."""

from pathlib import Path

import uvicorn
from fastapi import FastAPI

GRACE = 1  # seconds for watches, which would last an hour, after SIGTERM


def serve_endpoint(
    app: FastAPI, host: str, port: int, *, certificate: Path | None = None, key: Path | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; engines are ended in order and resumed at the next start.

    Args:
        app: what `create_endpoint` made.
        host: the address to listen on.
        port: the port.
        certificate: the certificate's file, for TLS; None for plain HTTP.
        key: the file of the certificate's private key.
    """
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
