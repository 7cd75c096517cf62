"""Find what is missing or odd on this machine, and the command that fixes it."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx

from katib.diagnosis.pod_causes import Cause
from registry import champion, in_flight
from registry.errors import RegistryError
from tunegate.workspace import Workspace

EXTRAS = {
    "trainer": ("sklearn", "pandas"),
    "search": ("optuna", "plotly"),
    "serving": ("fastapi", "uvicorn"),
}
IMAGE = "TUNEGATE_IMAGE"  # set in each of our images, to its name
LEAST_FREE = 100 << 20
LEAST_BROKEN = 36  # of `kubernetes`: kubeflow-katib 0.19, the last one, reads no labels with it


def examine_machine(workspace: Workspace) -> list[Cause]:
    """Examine everything that a run on this machine needs; what is ok has no fix."""
    return [
        *_examine_packages(),
        *_examine_katib_client(),
        *_examine_folders(workspace),
        *_examine_production(workspace),
        _examine_server(workspace),
    ]


def _finding(name: str, evidence: str, fix: str, *, ok: bool) -> Cause:
    return Cause(name, evidence, "" if ok else fix, ok=ok)


def _examine_packages() -> Iterator[Cause]:
    python = sys.version.split()[0]
    new_enough = sys.version_info >= (3, 11)
    yield _finding("python", python, "install Python 3.11 or newer", ok=new_enough)
    image = os.environ.get(IMAGE, "")
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        evidence = f"missing: {', '.join(missing)}" if missing else "installed"
        if missing and image:  # left out on purpose, and nothing there could install it
            yield Cause(f"extra {extra}", f"not in the image {image}", ok=True)
            continue
        fix = f"pip install 'tunegate[{extra}]'"
        yield _finding(f"extra {extra}", evidence, fix, ok=not missing)


def _examine_katib_client() -> Iterator[Cause]:
    """Tell users of Katib's client whether it works with their `kubernetes`; we do not use it."""
    with suppress(PackageNotFoundError):
        pair = version("kubeflow-katib"), version("kubernetes")
        yield Cause("kubeflow-katib", describe_katib_client(*pair), ok=True)


def describe_katib_client(katib: str, kubernetes: str) -> str:
    """Return what Katib's client can do next to a version of Kubernetes' client.

    Args:
        katib: the version of `kubeflow-katib`.
        kubernetes: the version of `kubernetes`.
    """
    pair = f"{katib} with kubernetes {kubernetes}"
    if int(kubernetes.partition(".")[0]) < LEAST_BROKEN:
        return pair
    return (
        f"{pair}: KatibClient cannot read what has labels; "
        f"use it in an environment of its own, with 'kubernetes<{LEAST_BROKEN}'"
    )


def _examine_folders(workspace: Workspace) -> Iterator[Cause]:
    settings = workspace.settings
    for name, path in (("state", settings.state), ("store", settings.store_path)):
        existing = _nearest_existing(path)
        fix = f"make {existing} writable, or choose another with --{name}"
        yield _finding(f"{name} folder", str(path), fix, ok=os.access(existing, os.W_OK))
        free = free_bytes(existing)
        evidence = f"{free >> 20} MiB free"
        yield _finding(f"{name} space", evidence, "free some space", ok=free >= LEAST_FREE)


def free_bytes(folder: Path) -> int:
    """Return how many bytes this account may still write where a folder is."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _nearest_existing(path: Path) -> Path:
    path = path.resolve()
    if path.exists():
        return path
    return _nearest_existing(path.parent)


def _examine_production(workspace: Workspace) -> Iterator[Cause]:
    try:
        history = workspace.ledger.history(workspace.model)
        pointer = workspace.store.pointer(workspace.model)
        current = champion(history)
        if current:
            workspace.store.open(current.promotion.sha256)
    except RegistryError as error:
        yield Cause("production", str(error), error.hint or "tunegate repair")
        return
    if sunset := getattr(workspace.ledger, "sunset", ""):  # of a Model Registry
        evidence = f"the registry stops to serve the API that is used here on {sunset}"
        yield Cause("registry", evidence, "update the Model Registry before, then tunegate")
    if entry := in_flight(history):
        yield Cause("ledger", f"promotion {entry.promotion.number} is in flight", "tunegate repair")
    served = pointer.sha256 if pointer else None
    evidence = "nothing was promoted yet"
    live = None
    if current:
        evidence = f"promotion {current.promotion.number} is live"
        live = current.promotion.sha256
    yield _finding("pointer", evidence, "tunegate repair", ok=served == live)


def _examine_server(workspace: Workspace) -> Cause:
    url = workspace.settings.url or workspace.settings.address
    try:
        about = httpx.get(f"{url}/version", timeout=2.0).json()
    except (httpx.HTTPError, ValueError):
        return Cause("server", f"nothing answers at {url}", ok=True)
    if not isinstance(about, dict) or about.get("service") != "tunegate":
        return Cause("server", f"another program answers at {url}", "choose another --port")
    refused = about.get("refused") or about.get("removed")
    evidence = refused or f"serves promotion {about.get('promotion')}"
    return _finding("server", evidence, "tunegate repair", ok=not refused)
