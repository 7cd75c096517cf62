"""What is in production: served from Python, and its history as a DataFrame."""

import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tunegate.local_server import Service, running_service
from tunegate.settings import load_settings
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


class Server:
    """A running server; as a context manager it ends with the block, otherwise with `stop`.

    It also ends when this process does.

    Attributes:
        url: its address.
    """

    def __init__(self, workspace: Workspace) -> None:
        """Start the server, unless one of this store and model answers there already."""
        self._started = ExitStack()
        self._service: Service = self._started.enter_context(running_service(workspace))
        self.url = self._service.url

    def wait(self) -> None:
        """Wait until the server ends, or Ctrl-C, which stops it."""
        try:
            self._service.wait()
        finally:
            self.stop()

    def stop(self) -> None:
        """End the server, if it was started here; doing it twice does no harm."""
        self._started.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    def _repr_html_(self) -> str:
        return f'<a href="{self.url}">{self.url}</a>'


def serve(
    model: str = "",
    *,
    host: str | None = None,
    port: int | None = None,
    block: bool = False,
    state: str | Path | None = None,
    store: str | Path | None = None,
) -> Server:
    """Serve the model in production, and follow every promotion.

    Args:
        model: its name; if empty, the model of the newest run.
        host: the address to listen on; 127.0.0.1 by default.
        port: the port, 8000 by default; 0 for any that is free.
        block: wait until the server ends, or Ctrl-C.
        state: the folder of store and ledger; `.tunegate` by default.
        store: the model store, if it is not in the state folder.

    Raises:
        UsageError: when another program has the port, or the server does not start.

    Example:
        >>> with tg.serve(port=0) as server:
        ...     httpx.post(f"{server.url}/predict", json=row).json()
    """
    settings = load_settings(
        model=model or None, host=host, port=port or None, state=state, store=store
    )
    if port == 0:
        settings = settings.replace(port=_free_port(settings.host))
    server = Server(Workspace(settings))
    if block:
        server.wait()
    return server


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def history(model: str = "", *, state: str | Path | None = None) -> "pd.DataFrame":
    """Return what was in production when, and why, from the ledger.

    Args:
        model: its name; if empty, the model of the newest run.
        state: the folder of the ledger; `.tunegate` by default.

    Returns:
        One row a promotion, the first one first; columns `number`, `created`, `state`, `package`,
        `actor`, `kind`, `reasons`.

    Raises:
        UsageError: when the state folder does not exist.
        LedgerError: when the ledger cannot be read.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    workspace = Workspace(load_settings(model=model or None, state=state))
    columns = ["number", "created", "state", "package", "actor", "kind", "reasons"]
    rows = [
        {
            "number": entry.promotion.number,
            "created": entry.promotion.created_at,
            "state": entry.state,
            "package": entry.promotion.sha256,
            "actor": entry.promotion.actor,
            "kind": entry.promotion.kind,
            "reasons": "; ".join(entry.promotion.reasons),
        }
        for entry in workspace.history()
    ]
    return pd.DataFrame(rows, columns=columns)
