"""What is in production as one file: to leave a cluster that will not stay, and to begin on another where it ended.

A zip archive: `bundle.json` (format, model, the ledger's entries), `packages/<sha256>/...` (the champion's package, and
the one before it, to which a rollback would return), `verdict.json`, and the newest run's `experiment.json` and
`trials.json` for the report. Nothing of it is trusted on the way in: packages are verified, entries validated.
"""

import io
import json
import re
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from katib.folder import STATUS, TRIALS, new_run
from promote import Verdict
from promote.errors import PromoteError
from registry import Conflict, Entry, champion
from registry.files import write_atomic
from registry.package import load_package
from registry.package.package import FILES
from tunegate.errors import UsageError
from tunegate.workspace import Workspace

INDEX, VERDICT = "bundle.json", "verdict.json"
RUN = {STATUS: "experiment.json", TRIALS: "trials.json"}
NAME = re.compile(r"[a-z][-a-z0-9]*")
LARGEST = 1 << 30  # bytes of one file in a bundle


class Index(BaseModel):
    """The bundle's own description."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["tunegate-bundle/1"] = "tunegate-bundle/1"
    model: str
    entries: tuple[Entry, ...]


def export_bundle(workspace: Workspace) -> bytes:
    """Return the bundle of the workspace's model.

    Raises:
        PromoteError: when a promotion is in flight; what it will become is not known yet.
        PackageError: when the champion's package is damaged.
    """
    history = workspace.ledger.history(workspace.model)
    if any(entry.outcome is None for entry in history):
        raise PromoteError(f"a promotion of {workspace.model} is in flight", hint="wait for it, or `tunegate repair`")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        index = Index(model=workspace.model, entries=tuple(history))
        archive.writestr(INDEX, index.model_dump_json(indent=1))
        for sha256 in _kept(history):
            package = workspace.store.open(sha256)
            for name in FILES:
                archive.write(package.path / name, f"packages/{sha256}/{name}")
        _add_evidence(archive, workspace)
    return written.getvalue()


def import_bundle(workspace: Workspace, content: bytes) -> list[str]:
    """Bring store, ledger and pointer to where the bundle's were; doing it twice changes nothing.

    Returns:
        What was done, in sentences.

    Raises:
        UsageError: when the file is no bundle, or one of another model.
        Conflict: when the ledger holds something else already.
        PackageError: when a package does not verify; nothing was written to the ledger then.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            index = Index.model_validate_json(_read(archive, INDEX))
            if index.model != workspace.model:
                raise UsageError(
                    f"the bundle is of {index.model}, not of {workspace.model}", hint="name it with --model"
                )
            known = _known(workspace, index)
            _add_packages(workspace, archive, _kept(index.entries))
            _replay(workspace, index.entries[known:])
            if known < len(index.entries):
                _keep_evidence(workspace, archive)
    except (zipfile.BadZipFile, KeyError, ValidationError) as error:
        raise UsageError(f"not a bundle: {error}", hint="make one with `tunegate export`") from error
    done = f"{len(index.entries) - known} of {len(index.entries)} ledger entries added"
    return [done, *workspace.promoter().repair(workspace.model)]


def _kept(history: Sequence[Entry]) -> list[str]:
    """Return the digests of the champion and of the one before it."""
    current = champion(history)
    if current is None:
        return []
    numbers = {current.promotion.number, current.promotion.previous}
    return list(dict.fromkeys(e.promotion.sha256 for e in history if e.promotion.number in numbers))


def _add_evidence(archive: zipfile.ZipFile, workspace: Workspace) -> None:
    with suppress(UsageError):  # there may be none
        archive.writestr(VERDICT, workspace.latest_verdict().canonical())
    with suppress(UsageError):
        run = workspace.last_run()
        for name, inside in RUN.items():
            archive.write(run / name, inside)


def _keep_evidence(workspace: Workspace, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if VERDICT in names:
        workspace.save_verdict(Verdict.model_validate_json(_read(archive, VERDICT)))
    if all(inside in names for inside in RUN.values()):
        name = str(json.loads(_read(archive, RUN[STATUS]))["metadata"]["name"])
        if not NAME.fullmatch(name):  # it becomes a folder's
            raise UsageError(f"not a bundle: {name!r} is no Experiment's name", hint="make one with `tunegate export`")
        folder = new_run(workspace.experiments, name)
        for file, inside in RUN.items():
            write_atomic(folder / file, _read(archive, inside))


def _known(workspace: Workspace, index: Index) -> int:
    """Return how many of the bundle's entries the ledger has; it must have no others."""
    there = workspace.ledger.history(index.model)
    if list(there) != list(index.entries[: len(there)]):
        raise Conflict(
            f"the ledger of {index.model} has a history of its own ({len(there)} entries)",
            hint="import into an empty ledger, or leave it as it is",
        )
    return len(there)


def _add_packages(workspace: Workspace, archive: zipfile.ZipFile, digests: list[str]) -> None:
    for sha256 in digests:
        workspace.store.root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".import-", dir=workspace.store.root) as scratch:
            for name in FILES:
                Path(scratch, name).write_bytes(_read(archive, f"packages/{sha256}/{name}"))
            workspace.store.add(load_package(Path(scratch), digest=sha256))


def _replay(workspace: Workspace, entries: tuple[Entry, ...]) -> None:
    for entry in entries:
        workspace.ledger.create(entry.promotion)
        if entry.outcome:
            workspace.ledger.close(entry.promotion.model, entry.promotion.number, entry.outcome)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST:
        raise zipfile.BadZipFile(f"{name} is larger than {LARGEST} bytes")
    return archive.read(name)
