"""The promotion protocol: five steps, each of which may be the last before a crash.

1. the package is copied to `models/<sha256>` and flushed;
2. the ledger entry is created, which is the compare-and-swap;
3. the pointer is swapped;
4. the running service is smoke-tested;
5. the outcome is recorded; if it is `reverted`, the pointer has been swapped back before.

The ledger is the truth and the pointer follows it; last, a copy of the history is written for
readers. An entry without an outcome is finished or undone by `repair`, which every promotion calls
first.
"""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from promote.errors import PromoteError, SmokeFailed
from promote.history_file import write_history_file
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
LEASE = 600  # seconds
MISSING = "it was missing"
KEPT_BY_ROLLBACK = ("experiment", "trial", "fingerprint", "metric", "score", "git_commit")


def _current_time() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Promoter:
    """Moves models into production and back.

    Attributes:
        store: where packages and pointers are.
        ledger: the truth.
        smoke: tests the running service against a package; None if no service is known, then
            nothing is tested.
        actor: who promotes, for the record.
        owner: who holds the lease, if that outlives this process: a Job, whose next pod continues
            what the last one began.
        clock: returns the time of day, with a zone.
        notify: called with a sentence about each step.
    """

    store: ModelStore
    ledger: Ledger
    smoke: Smoke | None = None
    actor: str = ""
    owner: str = ""
    clock: Callable[[], datetime] = _current_time
    notify: Callable[[str], None] = field(default=lambda _: None)

    def promote(self, package: ModelPackage, verdict: Verdict) -> Entry:
        """Bring a package that the gate has passed into production.

        Raises:
            PromoteError: when the verdict is not about this package, or not `promote`.
            Conflict: when the champion is not the one the gate compared with, or somebody else
                promoted meanwhile.
            InFlight: when another promotion is under way.
            SmokeFailed: when the service did not answer as it should; the promotion was reverted.
            StoreError, LedgerError: when volume or backend fail; the next run finishes or undoes
                what was begun.
        """
        _check_verdict(package, verdict)
        manifest = package.manifest
        history = self._repaired_history(manifest.name)
        current = champion(history)
        serving = current.promotion.sha256 if current else None
        judged = verdict.champion.sha256 if verdict.champion else None
        if serving != judged:
            raise Conflict("the champion has changed since the gate ran", hint="run the gate again")
        promotion = self._next_promotion(manifest.name, package.digest, history).replace(
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
        return self._carry_out(promotion, package)

    def rollback(self, model: str, *, to: int | None = None, reason: str = "") -> Entry:
        """Return to an earlier promotion, by default the one before the champion.

        Raises:
            PromoteError: when there is no such promotion, or it is the champion already.
            PackageError: when its package is damaged.
        """
        history = self._repaired_history(model)
        target = _find_target(model, history, to).promotion
        package = self.store.open(target.sha256)
        promotion = self._next_promotion(model, package.digest, history).replace(
            kind="rollback",
            reasons=(reason or f"back to promotion {target.number}",),
            **{name: getattr(target, name) for name in KEPT_BY_ROLLBACK},
        )
        return self._carry_out(promotion, package)

    def rollback_target(self, model: str, *, to: int | None = None) -> Entry:
        """Return the promotion that a rollback would return to.

        Raises:
            PromoteError: when there is none, or it is the champion already.
        """
        return _find_target(model, self.ledger.history(model), to)

    def repair(self, model: str, *, force: bool = False) -> list[str]:
        """Finish or undo what a crashed run left, and let the pointer follow the ledger.

        Args:
            model: whose ledger.
            force: take an entry over although its lease still runs.

        Returns:
            What was done, in sentences; empty when nothing had to be.

        Raises:
            InFlight: when another promotion is under way and its lease still runs.
        """
        done: list[str] = []
        entry = in_flight(self.ledger.history(model))
        if entry:
            if not (force or is_abandoned(entry, self.clock(), heir=self.owner)):
                raise _in_flight_error(entry)
            done.append(self._close_abandoned(entry))
        return done + self._sync_pointer(model)

    def _repaired_history(self, model: str) -> Sequence[Entry]:
        """Repair, then read the ledger once: between two readings others could promote."""
        for sentence in self.repair(model):
            self.notify(sentence)
        history = self.ledger.history(model)
        entry = in_flight(history)
        if entry:  # it may be live before we create ours, whose number would then be taken
            raise _in_flight_error(entry)
        return history

    def _next_promotion(self, model: str, sha256: str, history: Sequence[Entry]) -> Promotion:
        current = champion(history)
        return Promotion(
            model=model,
            number=next_number(history),
            sha256=sha256,
            previous=current.promotion.number if current else None,
            actor=self.actor,
            owner=self.owner or process_owner(),
            created_at=self.clock(),
            lease=LEASE,
        )

    def _carry_out(self, promotion: Promotion, package: ModelPackage) -> Entry:
        name = f"promotion {promotion.number} of {promotion.model}"
        self.ledger.create(promotion)
        self.notify(f"{name} created in the ledger")
        entry = Entry(promotion=promotion)
        try:
            self.store.point(_pointer_to(promotion))
            self.notify(f"the pointer of {promotion.model} names promotion {promotion.number}")
            report = self.smoke(package) if self.smoke else None
        except StoreError:
            self._record_outcome(entry, "reverted", "the volume refused the pointer")
            raise
        note = "not smoke-tested: no service named"
        if report:
            note = f"smoke test passed at {report.url}"
            if not report.passed:
                self._revert(entry, report.failures)
                raise SmokeFailed(
                    f"promotion {promotion.number} reverted: {report.failures}",
                    hint="the former champion serves; see the server's log",
                )
        closed = self._record_outcome(entry, "live", note)
        self.notify(f"{name} is {closed.state}: {note}")
        return closed

    def _close_abandoned(self, entry: Entry) -> str:
        """Close an abandoned entry: live if the pointer was swapped and the model works."""
        promotion = entry.promotion
        report = None
        sound = False
        try:
            package = self.store.open(promotion.sha256)
            sound = self.store.pointer(promotion.model) == _pointer_to(promotion)
            if sound and self.smoke:
                report = self.smoke(package)
                sound = report.passed
        except Exception as error:  # noqa: BLE001 - whatever fails, it must not stay in flight
            sound = False
            self.notify(f"promotion {promotion.number}: {error}")
        if sound:
            closed = self._record_outcome(entry, "live", "finished by repair")
        else:
            closed = self._revert(entry, report.failures if report else "undone by repair")
        name = f"promotion {promotion.number} of {promotion.model}"
        return f"{name} was left in flight: now {closed.state}"

    def _sync_pointer(self, model: str) -> list[str]:
        """Let the pointer name the ledger's champion, and write the history for readers.

        A promotion in flight moves the pointer itself, and calls this at its end.
        """
        done: list[str] = []
        while True:  # after each write look again: others may have promoted since we read
            # The pointer first: the ledger is then at least as new as what the pointer names.
            pointer, before = self._read_pointer(model)
            history = self.ledger.history(model)
            if pointer and not history:
                raise _unknown_model(model, before)
            current = champion(history)
            wanted = _pointer_to(current.promotion) if current else None
            right = pointer == wanted and (pointer or before == MISSING)
            if right or in_flight(history):
                problem = write_history_file(self.store, self.ledger, model, history)
                if problem:
                    self.notify(problem)
                return done
            self._set_pointer(model, current)
            done.append(f"the pointer of {model} follows the ledger again ({before})")

    def _read_pointer(self, model: str) -> tuple[Pointer | None, str]:
        """Return the pointer, and a description of it; a damaged one is None."""
        try:
            pointer = self.store.pointer(model)
        except StoreError as error:
            return None, str(error)
        if pointer is None:
            return None, MISSING
        return pointer, f"it named promotion {pointer.number}"

    def _revert(self, entry: Entry, note: str) -> Entry:
        """Swap the pointer back, then record it: after a crash in between, `repair` continues."""
        model = entry.promotion.model
        self._set_pointer(model, champion(self.ledger.history(model)))
        return self._record_outcome(entry, "reverted", note)

    def _record_outcome(self, entry: Entry, result: str, note: str) -> Entry:
        promotion = entry.promotion
        outcome = Outcome.checked({"result": result, "note": note, "closed_at": self.clock()})
        try:
            self.ledger.close(promotion.model, promotion.number, outcome)
            closed = Entry(promotion=promotion, outcome=outcome)
        except Conflict:  # somebody took the entry over: the outcome they recorded holds
            history = self.ledger.history(promotion.model)
            closed = next(e for e in history if e.promotion.number == promotion.number)
            if closed.state != result:
                self._sync_pointer(promotion.model)
                raise
        # Somebody who had read the ledger before may have moved the pointer since.
        self._sync_pointer(promotion.model)
        return closed

    def _set_pointer(self, model: str, current: Entry | None) -> None:
        if current:
            self.store.point(_pointer_to(current.promotion))
        else:
            self.store.unpoint(model)


def process_owner() -> str:
    """Return the lease holder that stands for this process on this host."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_abandoned(entry: Entry, now: datetime, *, heir: str = "") -> bool:
    """Whether an entry in flight may be taken over: its lease is over, or its process is gone.

    Args:
        entry: the entry.
        now: the time of day, with a zone.
        heir: an owner that never runs twice at once, such as a Job whose pods follow each other;
            it may take over its own entries.
    """
    if heir and entry.promotion.owner == heir:
        return True
    return _process_is_gone(entry.promotion.owner) or entry.promotion.expired(now)


def _process_is_gone(lease_holder: str) -> bool:
    """Whether the lease is held by another process of this host that does not run any more."""
    host, _, pid = lease_holder.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _check_verdict(package: ModelPackage, verdict: Verdict) -> None:
    judged = verdict.candidate.sha256 if verdict.candidate else ""
    if verdict.verdict != "promote" or judged != package.digest:
        raise PromoteError(
            f"the verdict does not promote package {package.digest[:12]}", hint="run the gate first"
        )


def _unknown_model(model: str, pointer: str) -> PromoteError:
    """A pointer without a ledger means a wrong path, not a model to take out of production."""
    return PromoteError(
        f"there is a pointer of {model} ({pointer}), but the ledger has no entry of that model",
        hint="store and ledger do not belong together: "
        "look at --state and --store, or restore the ledger",
    )


def _in_flight_error(entry: Entry) -> InFlight:
    promotion = entry.promotion
    return InFlight(
        f"promotion {promotion.number} of {promotion.model} is in flight (by {promotion.owner})",
        hint="wait for it; or, if that process is gone, `tunegate repair --force`",
    )


def _pointer_to(promotion: Promotion) -> Pointer:
    return Pointer(model=promotion.model, number=promotion.number, sha256=promotion.sha256)


def _find_target(model: str, history: Sequence[Entry], to: int | None) -> Entry:
    current = champion(history)
    if current is None:
        raise PromoteError(
            f"nothing of {model} is in production", hint="`tunegate history` shows what was"
        )
    choices = {
        entry.promotion.number: entry
        for entry in history
        if entry.state == "live" and entry.promotion.sha256 != current.promotion.sha256
    }
    wanted = current.promotion.previous if to is None else to
    if wanted not in choices:
        raise PromoteError(
            f"cannot roll {model} back to promotion {wanted}",
            hint=f"choose from: {', '.join(map(str, choices)) or 'none'}",
        )
    return choices[wanted]
