"""The promotion protocol: five steps, each of which may be the last before a crash.

1. the package is copied to `models/<sha256>` and flushed;
2. the ledger entry is created, which is the compare-and-swap;
3. the pointer is swapped;
4. the running service is smoke-tested;
5. the outcome is recorded; where it is `reverted`, the pointer has gone back before.

The ledger is the truth and the pointer follows it; last of all the store is told the history, for readers. An entry
without an outcome is finished or undone by `repair`, which every promotion calls first.
"""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from promote.errors import PromoteError, SmokeFailed
from promote.history_file import tell
from promote.smoke import SmokeReport
from promote.verdict import Verdict
from registry import (
    Conflict,
    Entry,
    InFlight,
    Ledger,
    ModelStore,
    Outcome,
    Pointer,
    Promotion,
    champion,
    in_flight,
)
from registry.errors import StoreError
from registry.ledger import next_number
from registry.package import ModelPackage

Smoke = Callable[[ModelPackage], SmokeReport]
LEASE = 600
MISSING = "it was missing"
RETURNING = (
    "experiment",
    "trial",
    "fingerprint",
    "metric",
    "score",
    "git_commit",
)  # what a rollback takes along


def _utc() -> datetime:
    return datetime.now(UTC)


def owner() -> str:
    """Return who holds a lease: this process, on this host."""
    return f"{socket.gethostname()}:{os.getpid()}"


def abandoned(entry: Entry, now: datetime, *, heir: str = "") -> bool:
    """Whether an entry in flight may be taken over: its lease is over, or its process on this host is gone.

    `heir` names an owner that is never there twice, such as a Job whose pods follow each other: its own it takes over.
    """
    if heir and entry.promotion.owner == heir:
        return True
    host, _, pid = entry.promotion.owner.rpartition(":")
    if host == socket.gethostname() and pid.isdigit() and int(pid) != os.getpid():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
    return entry.promotion.expired(now)


@dataclass(frozen=True, slots=True)
class Promoter:
    """Moves models into production and back.

    Attributes:
        store: where packages and pointers are.
        ledger: the truth.
        smoke: tests the running service against a package; None where no service is known, then nothing is tested.
        actor: who promotes, for the record.
        owner: who holds the lease, where that is more than this process: a Job, which goes on when its pod is replaced.
        clock: gives the time of day, with a zone.
        notify: told about each step.
    """

    store: ModelStore
    ledger: Ledger
    smoke: Smoke | None = None
    actor: str = ""
    owner: str = ""
    clock: Callable[[], datetime] = _utc
    notify: Callable[[str], None] = field(default=lambda _: None)

    def promote(self, package: ModelPackage, verdict: Verdict) -> Entry:
        """Bring a package that the gate has passed into production.

        Raises:
            PromoteError: when the verdict is not about this package, or not `promote`.
            Conflict: when the champion is not the one the gate compared with, or somebody promoted meanwhile.
            InFlight: when another promotion is under way.
            SmokeFailed: when the service did not answer as it should; everything is as before then.
            StoreError, LedgerError: when volume or backend fail; the next run finishes or undoes what was begun.
        """
        if (
            verdict.verdict != "promote"
            or verdict.candidate is None
            or verdict.candidate.sha256 != package.digest
        ):
            raise PromoteError(
                f"the verdict does not promote package {package.digest[:12]}",
                hint="run the gate first",
            )
        manifest = package.manifest
        history = self._settled(manifest.name)
        current = champion(history)
        judged = verdict.champion.sha256 if verdict.champion else None
        if (current.promotion.sha256 if current else None) != judged:
            raise Conflict("the champion has changed since the gate ran", hint="run the gate again")
        entry = self._entry(manifest.name, package.digest, history).replace(
            kind=verdict.kind,
            experiment=manifest.provenance.experiment,
            trial=manifest.provenance.trial,
            fingerprint=manifest.fingerprint,
            verdict=verdict.digest(),
            reasons=verdict.reasons,
            metric=manifest.metric,
            score=verdict.score,
            git_commit=manifest.provenance.git_commit,
        )
        self.store.add(package)
        return self._carry_out(entry, package)

    def rollback(self, model: str, *, to: int | None = None, reason: str = "") -> Entry:
        """Return to an earlier promotion, by default the one before the champion.

        Raises:
            PromoteError: when there is no such promotion, or it is the champion already.
            PackageError: when its package is damaged.
        """
        history = self._settled(model)
        target = _rollback_target(model, history, to)
        package = self.store.open(target.promotion.sha256)
        entry = self._entry(model, package.digest, history).replace(
            kind="rollback",
            reasons=(reason or f"back to promotion {target.promotion.number}",),
            **{name: getattr(target.promotion, name) for name in RETURNING},
        )
        return self._carry_out(entry, package)

    def rollback_target(self, model: str, *, to: int | None = None) -> Entry:
        """Return the promotion that a rollback would return to.

        Raises:
            PromoteError: when there is none, or it is the champion already.
        """
        return _rollback_target(model, self.ledger.history(model), to)

    def repair(self, model: str, *, force: bool = False) -> list[str]:
        """Finish or undo what a crashed run left, and let the pointer follow the ledger.

        Args:
            model: whose ledger.
            force: take an entry over although its lease still runs.

        Returns:
            What was done, in sentences; empty when all was well.

        Raises:
            InFlight: when another promotion is under way and its lease still runs.
        """
        done: list[str] = []
        entry = in_flight(self.ledger.history(model))
        if entry:
            if not (force or abandoned(entry, self.clock(), heir=self.owner)):
                raise _busy(entry)
            done.append(self._finish(entry))
        return done + self._follow(model)

    def _settled(self, model: str) -> Sequence[Entry]:
        """Repair, then read the ledger once: champion and next number of two readings would let others in between."""
        for sentence in self.repair(model):
            self.notify(sentence)
        history = self.ledger.history(model)
        if entry := in_flight(
            history
        ):  # it may be live by the time we create: then its successor is not ours
            raise _busy(entry)
        return history

    def _entry(self, model: str, sha256: str, history: Sequence[Entry]) -> Promotion:
        current = champion(history)
        return Promotion(
            model=model,
            number=next_number(history),
            sha256=sha256,
            previous=current.promotion.number if current else None,
            actor=self.actor,
            owner=self.owner or owner(),
            created_at=self.clock(),
            lease=LEASE,
        )

    def _carry_out(self, promotion: Promotion, package: ModelPackage) -> Entry:
        self.ledger.create(promotion)
        self.notify(f"promotion {promotion.number} of {promotion.model} created in the ledger")
        entry = Entry(promotion=promotion)
        try:
            self._point(promotion)
            self.notify(f"the pointer of {promotion.model} names promotion {promotion.number}")
            report = self.smoke(package) if self.smoke else None
        except StoreError:
            self._close(entry, "reverted", "the volume refused the pointer")
            raise
        if report and not report.passed:
            self._revert(entry, report.failures)
            raise SmokeFailed(
                f"promotion {promotion.number} reverted: {report.failures}",
                hint="the former champion serves; see the server's log",
            )
        if report:
            note = f"smoke test passed at {report.url}"
        else:
            note = "not smoke-tested: no service named"
        closed = self._close(entry, "live", note)
        self.notify(f"promotion {promotion.number} of {promotion.model} is {closed.state}: {note}")
        return closed

    def _finish(self, entry: Entry) -> str:
        """Close an abandoned entry: live when the pointer was swapped and the model works, else reverted."""
        promotion = entry.promotion
        try:
            package = self.store.open(promotion.sha256)
            swapped = self.store.pointer(promotion.model) == _pointer(promotion)
            report = self.smoke(package) if swapped and self.smoke else None
            sound = swapped and (report is None or report.passed)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it must not stay in flight
            sound = False
            report = None
            self.notify(f"promotion {promotion.number}: {error}")
        if sound:
            closed = self._close(entry, "live", "finished by repair")
        else:
            closed = self._revert(entry, "undone by repair" if report is None else report.failures)
        return f"promotion {promotion.number} of {promotion.model} was left in flight: now {closed.state}"

    def _follow(self, model: str) -> list[str]:
        """Let the pointer say what the ledger says; a promotion under way moves it itself, and follows at its end."""
        done: list[str] = []
        while True:  # look again after each write: somebody may have promoted between our reading and our writing
            pointer, was = self._pointed(model)
            history = self.ledger.history(
                model
            )  # after the pointer, so that it knows what the pointer names
            if pointer and not history:
                raise _stranger(model, was)
            current = champion(history)
            wanted = _pointer(current.promotion) if current else None
            if in_flight(history) or (pointer == wanted and (pointer or was == MISSING)):
                if problem := tell(self.store, self.ledger, model, history):
                    self.notify(problem)
                return done
            self._set(model, current)
            done.append(f"the pointer of {model} follows the ledger again ({was})")

    def _pointed(self, model: str) -> tuple[Pointer | None, str]:
        try:
            pointer = self.store.pointer(model)
        except StoreError as error:
            return None, str(error)
        return pointer, f"it named promotion {pointer.number}" if pointer else MISSING

    def _revert(self, entry: Entry, note: str) -> Entry:
        """Swap the pointer back, then record it; in this order, so that a crash between is found in flight."""
        model = entry.promotion.model
        self._set(model, champion(self.ledger.history(model)))
        return self._close(entry, "reverted", note)

    def _close(self, entry: Entry, result: str, note: str) -> Entry:
        outcome = Outcome.checked({"result": result, "note": note, "closed_at": self.clock()})
        try:
            self.ledger.close(entry.promotion.model, entry.promotion.number, outcome)
            closed = Entry(promotion=entry.promotion, outcome=outcome)
        except Conflict:  # somebody took it over: what they recorded holds
            history = self.ledger.history(entry.promotion.model)
            closed = next(e for e in history if e.promotion.number == entry.promotion.number)
            if closed.state != result:
                self._follow(entry.promotion.model)
                raise
        self._follow(
            entry.promotion.model
        )  # somebody who read the ledger before may have moved it since
        return closed

    def _point(self, promotion: Promotion) -> None:
        self.store.point(_pointer(promotion))

    def _set(self, model: str, current: Entry | None) -> None:
        if current:
            self._point(current.promotion)
        else:
            self.store.unpoint(model)


def _stranger(model: str, was: str) -> PromoteError:
    """A pointer without a ledger is a wrong path, not a model to take out of production."""
    return PromoteError(
        f"there is a pointer of {model} ({was}), but the ledger has never heard of that model",
        hint="store and ledger do not belong together: look at --state and --store, or restore the ledger",
    )


def _busy(entry: Entry) -> InFlight:
    promotion = entry.promotion
    return InFlight(
        f"promotion {promotion.number} of {promotion.model} is in flight (by {promotion.owner})",
        hint="wait for it; or, if that process is gone, `tunegate repair --force`",
    )


def _pointer(promotion: Promotion) -> Pointer:
    return Pointer(model=promotion.model, number=promotion.number, sha256=promotion.sha256)


def _rollback_target(model: str, history: Sequence[Entry], to: int | None) -> Entry:
    current = champion(history)
    live = [entry for entry in history if entry.state == "live"]
    if current is None:
        raise PromoteError(
            f"nothing of {model} is in production", hint="`tunegate history` shows what was"
        )
    wanted = to if to is not None else current.promotion.previous
    target = next((entry for entry in live if entry.promotion.number == wanted), None)
    if target is None or target.promotion.sha256 == current.promotion.sha256:
        choices = ", ".join(
            str(e.promotion.number) for e in live if e.promotion.sha256 != current.promotion.sha256
        )
        raise PromoteError(
            f"cannot roll {model} back to promotion {wanted}",
            hint=f"choose from: {choices or 'none'}",
        )
    return target
