"""Find what is missing or odd on this machine, and the command that fixes it."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from registry import champion, in_flight
from registry.errors import RegistryError
from tunegate.workspace import Workspace

EXTRAS = {
    "trainer": ("sklearn", "pandas"),
    "search": ("optuna", "plotly"),
    "serving": ("fastapi", "uvicorn"),
}
LEAST_FREE = 100 << 20


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was examined: whether it is well, what was found, and how to fix it."""

    name: str
    well: bool
    found: str
    mend: str = ""


def examine(workspace: Workspace) -> list[Symptom]:
    """Examine everything that a run on this machine needs."""
    return [
        *_examine_packages(),
        *_examine_folders(workspace),
        *_examine_production(workspace),
        _examine_server(workspace),
    ]


def _examine_packages() -> Iterator[Symptom]:
    yield Symptom(
        "python",
        sys.version_info >= (3, 11),
        sys.version.split()[0],
        "install Python 3.11 or newer",
    )
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        found = f"missing: {', '.join(missing)}" if missing else "installed"
        yield Symptom(f"extra {extra}", not missing, found, f"pip install 'tunegate[{extra}]'")


def _examine_folders(workspace: Workspace) -> Iterator[Symptom]:
    settings = workspace.settings
    for name, path in (("state", settings.state), ("store", settings.store_path)):
        existing = _nearest_existing(path)
        writable = os.access(existing, os.W_OK)
        yield Symptom(
            f"{name} folder",
            writable,
            str(path),
            f"make {existing} writable, or choose another with --{name}",
        )
        status = os.statvfs(existing)
        free = status.f_bavail * status.f_frsize
        yield Symptom(
            f"{name} space", free >= LEAST_FREE, f"{free >> 20} MiB free", "free some space"
        )


def _nearest_existing(path: Path) -> Path:
    path = path.resolve()
    if path.exists():
        return path
    return _nearest_existing(path.parent)


def _examine_production(workspace: Workspace) -> Iterator[Symptom]:
    try:
        history = workspace.ledger.history(workspace.model)
        pointer = workspace.store.pointer(workspace.model)
        current = champion(history)
        if current:
            workspace.store.open(current.promotion.sha256)
    except RegistryError as error:
        yield Symptom(
            "production", well=False, found=str(error), mend=error.hint or "tunegate repair"
        )
        return
    if entry := in_flight(history):
        yield Symptom(
            "ledger",
            well=False,
            found=f"promotion {entry.promotion.number} is in flight",
            mend="tunegate repair",
        )
    named = pointer.sha256 if pointer else None
    true = current.promotion.sha256 if current else None
    if current:
        found = f"promotion {current.promotion.number} is live"
    else:
        found = "nothing was promoted yet"
    yield Symptom("pointer", named == true, found, "tunegate repair")


def _examine_server(workspace: Workspace) -> Symptom:
    url = workspace.settings.url or workspace.settings.address
    try:
        about = httpx.get(f"{url}/version", timeout=2.0).json()
    except (httpx.HTTPError, ValueError):
        return Symptom(
            "server", well=True, found=f"nothing answers at {url}", mend="tunegate serve"
        )
    if not isinstance(about, dict) or about.get("service") != "tunegate":
        return Symptom(
            "server",
            well=False,
            found=f"another program answers at {url}",
            mend="choose another --port",
        )
    refused = about.get("refused") or about.get("removed")
    return Symptom(
        "server",
        not refused,
        refused or f"serves promotion {about.get('promotion')}",
        "tunegate repair",
    )
