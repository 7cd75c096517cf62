"""The command `katib`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tunegate.commands import options
from tunegate.errors import ExitCode, UsageError
from tunegate.output import say

FORK_SUPPORT = "GRPC_ENABLE_FORK_SUPPORT"  # read when gRPC is imported
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("katib")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8001,
    show_default=True,
    help="Port to serve on.",
)
@click.option(
    "--token",
    type=options.PATH,
    help="File with the bearer token that requests must carry; needed for other machines.",
)
@click.option(
    "--tls-certificate",
    type=EXISTING,
    help="Certificate for TLS; kubectl sends a token over TLS alone.",
)
@click.option("--tls-key", type=EXISTING, help="The certificate's private key.")
@click.option(
    "--db-manager-port",
    type=click.IntRange(1, 65535),
    help="Serve trials' metrics over gRPC on this port of 127.0.0.1, as Katib's DBManager does.",
)
@options.state
@options.store
@options.cpus
@options.mount
@options.image
def katib_command(
    host: str,
    port: int,
    *,
    token: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    db_manager_port: int | None,
    **flags: options.Flags,
) -> int:
    """Serve Katib's API for kubectl and Katib's clients; trials run on this machine.

    Example: tunegate katib --port 8001 & kubectl --server=http://127.0.0.1:8001 get experiments
    """
    try:
        from katib.endpoint.access import is_loopback
        from katib.endpoint.app import create_endpoint
        from katib.endpoint.changes import Changes
        from katib.endpoint.engines import Engines
        from katib.endpoint.object_store import ObjectStore
        from katib.endpoint.serving import serve_endpoint
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed", hint="pip install 'tunegate[serving]'"
        ) from error
    from tunegate.endpoint_runs import EndpointRuns

    if bool(tls_certificate) != bool(tls_key):
        raise UsageError(
            "TLS needs a certificate and its key", hint="name both: --tls-certificate, --tls-key"
        )
    secret = _read_token(token)
    if not secret and not is_loopback(host):
        raise UsageError(
            f"{host} can be reached from other machines, which could run programs here",
            hint="name a file with a token: --token FILE",
        )
    settings = options.settings(**flags)
    runs = EndpointRuns(settings)
    engines = Engines(runs.command)
    store = ObjectStore(settings.state / "experiments", engines.failure)
    scheme = "https" if tls_certificate else "http"
    say(f"Katib's API at {scheme}://{host}:{port}; runs: {store.root}")
    app = create_endpoint(Changes(store, runs, engines), secret)
    with _serve_reports(store.root, db_manager_port):
        serve_endpoint(app, host, port, certificate=tls_certificate, key=tls_key)
    return ExitCode.DONE


@contextmanager
def _serve_reports(root: Path, port: int | None) -> Iterator[None]:
    """Answer `KatibClient.get_trial_metrics` while the block runs, if a port is named.

    Raises:
        EngineError: when the port is taken.
        UsageError: when gRPC is not installed.
    """
    if port is None:
        yield
        return
    # Engines are forked, and gRPC would note each time on stderr that it does not follow them.
    added = FORK_SUPPORT not in os.environ
    os.environ.setdefault(FORK_SUPPORT, "0")
    try:
        from katib.db_manager.service import serving_reports
        from katib.endpoint.trial_reports import RunReports
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--db-manager-port needs gRPC, and {error.name} is not installed",
            hint="pip install 'tunegate[grpc]'",
        ) from error
    finally:
        if added:
            del os.environ[FORK_SUPPORT]  # trials decide for themselves
    with serving_reports(RunReports(root), port) as address:
        say(f"trials' metrics at {address}")
        yield


def _read_token(path: Path | None) -> str:
    """Return the token in a file; empty if no file is named.

    Raises:
        UsageError: when it cannot be read, or holds none.
    """
    if path is None:
        return ""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", hint="name a file with a token") from error
    if not token:
        raise UsageError(f"{path} holds no token", hint="write one into it, on one line")
    return token
