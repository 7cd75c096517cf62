"""What is in production as one file: taken from one cluster, and continued on another.

A zip archive: `bundle.json` (format, model, the ledger's entries), `packages/<sha256>/...` (the
champion's package, and the one before it, to which a rollback would return), `verdict.json`, and
the newest run's `experiment.json` and `trials.json` for the report. An import trusts none of it:
packages are verified, entries validated.
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
from registry import Challenge, Conflict, Entry, champion, in_flight
from registry.atomic_files import as_store_errors, write_atomic
from registry.chain import START, challenges_head, closing_digests
from registry.package import load_package
from registry.package.package_files import FILES, MAX_BYTES, OPTIONAL_FILES, SIGNATURE
from registry.record import Record, Sha256
from tunegate.errors import UsageError
from tunegate.workspace import Workspace

INDEX = "bundle.json"
VERDICT = "verdict.json"
RUN_FILES = {STATUS: "experiment.json", TRIALS: "trials.json"}  # in a run's folder -> in a bundle
EXPERIMENT_NAME = re.compile(r"[a-z][-a-z0-9]*")  # it becomes a folder's name
LARGEST_FILE = 64 << 20  # bytes, unless it is a package's
# How often a file may be larger than its compressed form; ours are up to 20 times as large.
LARGEST_RATIO = 200
SMALL_FILE = 1 << 20  # bytes, which may be as empty as they like
COPY_STEP = 1 << 20
EXPORT_HINT = "make one with `tunegate export`"


class BundleIndex(Record, frozen=True, kw_only=True):
    """The bundle's own description."""

    format: Literal["tunegate-bundle/1"] = "tunegate-bundle/1"
    model: str
    entries: tuple[Entry, ...]
    digests: tuple[Sha256, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    challenges_head: Sha256 = START

    def __post_init__(self) -> None:
        """Refuse what a ledger would refuse half way through, or take for another model's.

        `digests` are those of the ledger's chain after each entry, `challenges_head` is the last of
        the challenges' chain; bundles of release 0.2 have neither.
        """
        numbers = [entry.promotion.number for entry in self.entries]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError("its ledger has gaps")
        for entry in self.entries:
            if entry.promotion.model != self.model or entry.outcome is None:
                raise ValueError("its ledger has entries of another model, or in flight")
        _check_previous(self.entries)
        if self.digests:
            _check_digests(self.entries, self.digests)
        numbers = [each.number for each in self.challenges]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError("its challenges have gaps")
        if any(each.model != self.model for each in self.challenges):
            raise ValueError("it has challenges of another model")
        if challenges_head(self.challenges) != self.challenges_head:
            raise ValueError("its challenges are not as they were written")


def _check_previous(entries: Sequence[Entry]) -> None:
    for i, entry in enumerate(entries):
        replaced = champion(entries[:i])
        expected = replaced.promotion.number if replaced else None
        if entry.promotion.previous != expected:
            raise ValueError(
                f"promotion {i + 1} replaces {entry.promotion.previous}, "
                f"but {expected} was in production"
            )


def _check_digests(entries: Sequence[Entry], digests: Sequence[str]) -> None:
    for number, (found, stated) in enumerate(
        zip(closing_digests(entries), digests, strict=True), start=1
    ):
        if found != stated:
            raise ValueError(f"promotion {number} is not as it was written")


def export_bundle(workspace: Workspace) -> bytes:
    """Return the bundle of the workspace's model.

    Raises:
        PromoteError: when a promotion is in flight; its outcome is not known yet.
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
        challenges = workspace.challenges()
        index = BundleIndex(
            model=workspace.model,
            entries=tuple(history),
            digests=closing_digests(history),
            challenges=tuple(challenges),
            challenges_head=challenges_head(challenges),
        )
        archive.writestr(INDEX, index.to_json(indent=1))
        for sha256 in _bundled_packages(history):
            package = workspace.store.open(sha256)
            for name in package.files:
                archive.write(package.path / name, f"packages/{sha256}/{name}")
            if (package.path / SIGNATURE).is_file():
                archive.write(package.path / SIGNATURE, f"packages/{sha256}/{SIGNATURE}")
        _export_evidence(archive, workspace)
    return written.getvalue()


def _bundled_packages(history: Sequence[Entry]) -> list[str]:
    """Return the digests of the champion and of the one before it."""
    current = champion(history)
    if current is None:
        return []
    numbers = {current.promotion.number, current.promotion.previous}
    return list(dict.fromkeys(e.promotion.sha256 for e in history if e.promotion.number in numbers))


def _export_evidence(archive: zipfile.ZipFile, workspace: Workspace) -> None:
    with suppress(UsageError):  # there may be no verdict
        archive.writestr(VERDICT, workspace.latest_verdict().canonical())
    with suppress(UsageError):  # there may be no run
        run = workspace.last_run()
        for name, inside in RUN_FILES.items():
            archive.write(run / name, inside)


def import_bundle(workspace: Workspace, content: bytes) -> list[str]:
    """Bring store, ledger and pointer to where the bundle's were; a second time changes nothing.

    Returns:
        What was done, in sentences.

    Raises:
        UsageError: when the file is no bundle, or one of another model.
        Conflict: when the ledger has another history.
        PackageError: when a package does not verify; nothing was written to the ledger then.
    """
    with _refusing_damage():
        archive = zipfile.ZipFile(io.BytesIO(content))
    with archive:
        with _refusing_damage():
            index = BundleIndex.parse(_read_member(archive, INDEX))
        if index.model != workspace.model:
            raise UsageError(
                f"the bundle is of {index.model}, not of {workspace.model}",
                hint="name it with --model",
            )
        known = _count_known(workspace, index)
        judged = _count_known_challenges(workspace, index)
        for sha256 in _bundled_packages(index.entries):
            _import_package(workspace, archive, sha256)
        if known < len(index.entries) or not workspace.experiments.is_dir():
            _import_evidence(workspace, archive)
    # The ledger comes last: whoever finds all entries in it takes the import for complete.
    for challenge in index.challenges[judged:]:
        workspace.ledger.record(challenge)
    _replay_entries(workspace, index.entries[known:])
    done = f"{len(index.entries) - known} of {len(index.entries)} ledger entries added"
    return [done, *workspace.promoter().repair(workspace.model)]


def _count_known(workspace: Workspace, index: BundleIndex) -> int:
    """Return how many of the bundle's entries the ledger has; it must have no others.

    The newest may lack its outcome, if an import was killed between the two.
    """
    present = workspace.ledger.history(index.model)
    complete = len(present)
    if in_flight(present):
        complete -= 1
    wanted = index.entries[: len(present)]
    same_promotions = [e.promotion for e in present] == [e.promotion for e in wanted]
    if not same_promotions or list(present[:complete]) != list(wanted[:complete]):
        raise Conflict(
            f"the ledger of {index.model} has a history of its own ({len(present)} entries)",
            hint="import into an empty ledger, or leave it as it is",
        )
    return complete


def _count_known_challenges(workspace: Workspace, index: BundleIndex) -> int:
    """Return how many of the bundle's challenges the ledger has; it may have later ones."""
    present = workspace.ledger.challenges(index.model)
    if any(ours != theirs for ours, theirs in zip(present, index.challenges, strict=False)):
        raise Conflict(
            f"the ledger of {index.model} has challenges of its own ({len(present)})",
            hint="import into an empty ledger, or leave it as it is",
        )
    return len(present)


def _import_package(workspace: Workspace, archive: zipfile.ZipFile, sha256: str) -> None:
    root = workspace.store.root
    members = set(archive.namelist())
    others = (*OPTIONAL_FILES, SIGNATURE)
    optional = [name for name in others if f"packages/{sha256}/{name}" in members]
    with as_store_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".import-", dir=root) as scratch:
            for name in (*FILES, *optional):
                _copy_member(archive, f"packages/{sha256}/{name}", Path(scratch, name))
            package = load_package(Path(scratch), digest=sha256)
            if package.manifest.name != workspace.model:  # no server would take it
                raise UsageError(
                    f"{sha256[:12]} in the bundle is a package of {package.manifest.name}",
                    hint=EXPORT_HINT,
                )
            workspace.store.signing.check(package)
            workspace.store.add(package)


def _import_evidence(workspace: Workspace, archive: zipfile.ZipFile) -> None:
    """Keep verdict and run, if the bundle has them; all is read before anything is written."""
    members = archive.namelist()
    verdict = None
    experiment = ""
    documents: dict[str, bytes] = {}
    with _refusing_damage():
        if VERDICT in members:
            verdict = Verdict.parse(_read_member(archive, VERDICT))
        if all(inside in members for inside in RUN_FILES.values()):
            documents = {name: _read_member(archive, inside) for name, inside in RUN_FILES.items()}
            experiment = str(json.loads(documents[STATUS])["metadata"]["name"])
            if not EXPERIMENT_NAME.fullmatch(experiment):
                raise ValueError(f"{experiment!r} is no Experiment's name")
    if verdict:
        workspace.save_verdict(verdict)
    if documents:
        folder = new_run(workspace.experiments, experiment)
        for name, document in documents.items():
            write_atomic(folder / name, document)


def _replay_entries(workspace: Workspace, entries: tuple[Entry, ...]) -> None:
    begun = in_flight(workspace.ledger.history(workspace.model))
    for entry in entries:
        promotion = entry.promotion
        if begun is None or begun.promotion != promotion:
            workspace.ledger.create(promotion)
        if entry.outcome:
            workspace.ledger.close(promotion.model, promotion.number, entry.outcome)


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive.

    Raises:
        UsageError: when it is missing, damaged or too large.
    """
    with _refusing_damage():
        return b"".join(_member_pieces(archive, name, LARGEST_FILE))


def _copy_member(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    """Write a package's file of the archive; raises as `_read_member`, or OSError."""
    with target.open("xb") as file:
        pieces = _member_pieces(archive, name, MAX_BYTES[target.name])
        while True:
            with _refusing_damage():
                piece = next(pieces, b"")
            if not piece:
                return
            file.write(piece)


def _member_pieces(archive: zipfile.ZipFile, name: str, limit: int) -> Iterator[bytes]:
    """Yield a file piece by piece; never more than it may have, whatever the archive says."""
    member = archive.getinfo(name)
    limit = min(limit, max(SMALL_FILE, LARGEST_RATIO * member.compress_size))
    left = limit
    with archive.open(member) as file:
        while piece := file.read(min(COPY_STEP, left + 1)):
            left -= len(piece)
            if left < 0:
                raise ValueError(f"{name} is larger than {limit} bytes")
            yield piece


@contextmanager
def _refusing_damage() -> Iterator[None]:
    """Turn every error that a damaged or forged archive leads to into a UsageError."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        RuntimeError,  # also the RecursionError of deeply nested JSON
        TypeError,
        ValueError,
    ) as error:
        raise UsageError(f"not a bundle: {error}", hint=EXPORT_HINT) from error
