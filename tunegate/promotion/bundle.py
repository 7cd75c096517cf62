"""What is in production as one file: to leave a cluster that will not stay, and to begin on another where it ended.

A zip archive: `bundle.json` (format, model, the ledger's entries), `packages/<sha256>/...` (the champion's package, and
the one before it, to which a rollback would return), `verdict.json`, and the newest run's `experiment.json` and
`trials.json` for the report. Nothing of it is trusted on the way in: packages are verified, entries validated.
"""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from katib.local.run_folder import STATUS, TRIALS, new_run
from promote.errors import PromoteError
from promote.verdict import Verdict
from registry import Conflict, Entry, champion, in_flight
from registry.atomic_files import as_store_errors, write_atomic
from registry.package import load_package
from registry.package.model_package import FILES, OPTIONAL_FILES
from registry.record import Record
from tunegate.errors import UsageError
from tunegate.workspace import Workspace

INDEX = "bundle.json"
LARGEST = 1 << 30  # bytes of one file in a bundle
MAKE = "make one with `tunegate export`"


class Index(Record, frozen=True, kw_only=True):
    """The bundle's own description."""

    format: Literal["tunegate-bundle/1"] = "tunegate-bundle/1"
    model: str
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        """Refuse what a ledger would refuse half way through, or take for another model's."""
        if [entry.promotion.number for entry in self.entries] != list(
            range(1, len(self.entries) + 1)
        ):
            raise ValueError("its ledger has gaps")
        if any(
            entry.promotion.model != self.model or entry.outcome is None for entry in self.entries
        ):
            raise ValueError("its ledger has entries of another model, or in flight")


def read_index(archive: zipfile.ZipFile) -> Index:
    """Return the archive's index; raises UsageError where there is no valid one."""
    with sound():
        return Index.parse(read(archive, INDEX))


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive; raises UsageError where it is missing, damaged or too large."""
    with sound():
        if archive.getinfo(name).file_size > LARGEST:
            raise ValueError(f"{name} is larger than {LARGEST} bytes")
        return archive.read(name)


@contextmanager
def sound() -> Iterator[None]:
    """Turn what damaged and forged archives lead to, from zlib to recursion in JSON, into one error."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise UsageError(f"not a bundle: {error}", hint=MAKE) from error


VERDICT = "verdict.json"
RUN = {STATUS: "experiment.json", TRIALS: "trials.json"}
NAME = re.compile(r"[a-z][-a-z0-9]*")


def export_bundle(workspace: Workspace) -> bytes:
    """Return the bundle of the workspace's model.

    Raises:
        PromoteError: when a promotion is in flight; what it will become is not known yet.
        PackageError: when the champion's package is damaged.
    """
    history = workspace.ledger.history(workspace.model)
    if any(entry.outcome is None for entry in history):
        raise PromoteError(
            f"a promotion of {workspace.model} is in flight",
            hint="wait for it, or `tunegate repair`",
        )
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        index = Index(model=workspace.model, entries=tuple(history))
        archive.writestr(INDEX, index.to_json(indent=1))
        for sha256 in _kept(history):
            package = workspace.store.open(sha256)
            for name in package.files:
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
    with sound():
        archive = zipfile.ZipFile(io.BytesIO(content))
    with archive:
        index = read_index(archive)
        if index.model != workspace.model:
            raise UsageError(
                f"the bundle is of {index.model}, not of {workspace.model}",
                hint="name it with --model",
            )
        known = _known(workspace, index)
        _add_packages(workspace, archive, _kept(index.entries))
        if known < len(index.entries) or not workspace.experiments.is_dir():
            _keep_evidence(workspace, archive)
    _replay(workspace, index.entries[known:])  # the last, for it is what another run takes for done
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
    """Keep verdict and run, where the bundle has them; read first, so that what makes no sense changes nothing."""
    names = archive.namelist()
    with sound():
        if VERDICT in names:
            verdict = Verdict.parse(read(archive, VERDICT))
        else:
            verdict = None
        whole = all(inside in names for inside in RUN.values())
        if whole:
            documents = {file: read(archive, inside) for file, inside in RUN.items()}
        else:
            documents = {}
        if whole:
            name = str(json.loads(documents[STATUS])["metadata"]["name"])
        else:
            name = ""
        if whole and not NAME.fullmatch(name):  # it becomes a folder's
            raise ValueError(f"{name!r} is no Experiment's name")
    if verdict:
        workspace.save_verdict(verdict)
    if whole:
        folder = new_run(workspace.experiments, name)
        for file, document in documents.items():
            write_atomic(folder / file, document)


def _known(workspace: Workspace, index: Index) -> int:
    """Return how many of the bundle's entries the ledger has; it must have no others.

    The newest may lack its outcome: an import was killed between the two.
    """
    there = workspace.ledger.history(index.model)
    whole = len(there) - bool(in_flight(there))
    wanted = index.entries[: len(there)]
    begun = [entry.promotion for entry in there] == [entry.promotion for entry in wanted]
    if not begun or list(there[:whole]) != list(wanted[:whole]):
        raise Conflict(
            f"the ledger of {index.model} has a history of its own ({len(there)} entries)",
            hint="import into an empty ledger, or leave it as it is",
        )
    return whole


def _add_packages(workspace: Workspace, archive: zipfile.ZipFile, digests: list[str]) -> None:
    root = workspace.store.root
    for sha256 in digests:
        with as_store_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".import-", dir=root) as scratch:
                for name in _inside(archive, sha256):
                    Path(scratch, name).write_bytes(read(archive, f"packages/{sha256}/{name}"))
                package = load_package(Path(scratch), digest=sha256)
                if package.manifest.name != workspace.model:  # no server would take it
                    raise UsageError(
                        f"{sha256[:12]} in the bundle is a package of {package.manifest.name}",
                        hint=MAKE,
                    )
                workspace.store.add(package)


def _inside(archive: zipfile.ZipFile, sha256: str) -> list[str]:
    there = archive.namelist()
    return [*FILES, *(name for name in OPTIONAL_FILES if f"packages/{sha256}/{name}" in there)]


def _replay(workspace: Workspace, entries: tuple[Entry, ...]) -> None:
    begun = in_flight(workspace.ledger.history(workspace.model))
    for entry in entries:
        promotion = entry.promotion
        if begun is None or begun.promotion != promotion:
            workspace.ledger.create(promotion)
        if entry.outcome:
            workspace.ledger.close(promotion.model, promotion.number, entry.outcome)
