"""The promotion protocol: five steps, each of which may be the last before a crash.

1. the package is copied to `models/<sha256>`, signed where a key is set, and flushed;
2. the ledger entry is created, which is the compare-and-swap;
3. the pointer is swapped;
4. the running service is smoke-tested;
5. the outcome is recorded; if it is `reverted`, the pointer has been swapped back before.

The ledger is the truth and the pointer follows it (`promote.pointing`). An entry without an outcome
is finished or undone by `repair`, which every promotion calls first.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from promote.errors import PromoteError, SmokeFailed
from promote.lease import clock_problem, is_abandoned, process_owner
from promote.pointing import Pointing, pointer_to
from promote.smoke import SmokeReport
from promote.verdict import Verdict
from registry import (
    Conflict,
    Entry,
    InFlight,
    Ledger,
    ModelStore,
    Outcome,
    Promotion,
    champion,
    in_flight,
)
from registry.errors import PackageError, StoreError
from registry.ledger import next_number
from registry.package import ModelPackage

Smoke = Callable[[ModelPackage], SmokeReport]
LEASE = 600  # seconds
KEPT_BY_ROLLBACK = ("experiment", "trial", "fingerprint", "metric", "score", "git_commit", "signer")


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

    @property
    def _pointing(self) -> Pointing:
        return Pointing(self.store, self.ledger, self.notify)

    def promote(self, package: ModelPackage, verdict: Verdict) -> Entry:
        """Bring a package that the gate has passed into production.

        Raises:
            PromoteError: when the verdict is not about this package, or not `promote`.
            Conflict: when the champion is not the one the gate compared with, or somebody else
                promoted meanwhile.
            InFlight: when another promotion is under way.
            SmokeFailed: when the service did not answer as it should; the promotion was reverted.
            PackageError: when the package lacks a signature that is asked for; when the pointer is
                wrong, and the champion's package damaged.
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
        signer = self.store.sign(package)
        return self._carry_out(promotion.replace(signer=signer), package)

    def rollback(self, model: str, *, to: int | None = None, reason: str = "") -> Entry:
        """Return to an earlier promotion, by default the one before the champion.

        The champion's package may be damaged; that may be why.

        Raises:
            PromoteError: when there is no such promotion, or it is the champion already.
            PackageError: when its package is damaged.
        """
        history = self._repaired_history(model, damaged=True)
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

    def repair(self, model: str, *, force: bool = False, damaged: bool = False) -> list[str]:
        """Finish or undo what a crashed run left, and let the pointer follow the ledger.

        Args:
            model: whose ledger.
            force: take an entry over although its lease still runs, and follow the ledger although
                the pointer is ahead of it.
            damaged: leave the pointer as it is, instead of failing, where the champion's package is
                damaged.

        Returns:
            What was done, in sentences; empty when nothing had to be.

        Raises:
            InFlight: when another promotion is under way and its lease still runs, or a clock is so
                far off that nobody knows.
            PackageError: when the pointer is wrong, and the champion's package damaged.
            PromoteError: when the pointer is of another ledger, or of a newer state of this one.
        """
        done: list[str] = []
        entry = in_flight(self.ledger.history(model))
        if entry:
            if not force:
                self._require_abandoned(entry)
            done.append(self._close_abandoned(entry))
        try:
            done += self._pointing.sync(model, force=force)
        except PackageError as error:
            if not damaged:
                raise
            self.notify(str(error))
        if removed := self.store.remove_scratch():
            done.append(f"{removed} unfinished copies of packages removed, which killed runs left")
        return done

    def check(self, model: str, *, all_live: bool) -> list[str]:
        """Verify the package in production, or with `all_live` each that was ever in it.

        Returns:
            What is wrong and what to do, in sentences; empty when all is well.
        """
        live = [e.promotion for e in self.ledger.history(model) if e.state == "live"]
        if not all_live:
            live = live[-1:]
        found: list[str] = []
        for sha256 in dict.fromkeys(promotion.sha256 for promotion in live):
            try:
                self.store.open(sha256)
            except PackageError as error:
                numbers = ", ".join(str(p.number) for p in live if p.sha256 == sha256)
                found.append(
                    f"the package of promotion {numbers} is damaged or missing: {error}; "
                    "is --store the right one? otherwise restore it, or `tunegate rollback`"
                )
        return found

    def _require_abandoned(self, entry: Entry) -> None:
        now = self.clock()
        problem = clock_problem(entry, now, self.store.now())
        if problem and not is_abandoned(entry, entry.promotion.created_at, heir=self.owner):
            raise _in_flight_error(entry, problem)
        if not is_abandoned(entry, now, heir=self.owner):
            raise _in_flight_error(entry)

    def _repaired_history(self, model: str, *, damaged: bool = False) -> Sequence[Entry]:
        """Repair, then read the ledger once: between two readings others could promote."""
        for sentence in self.repair(model, damaged=damaged):
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
            self._pointing.move(promotion)
            self.notify(f"the pointer of {promotion.model} names promotion {promotion.number}")
            report = self._smoke_test(package)
        except StoreError:
            self._record_outcome(entry, "reverted", "the volume refused the pointer")
            raise
        except Conflict:  # somebody took the entry over, or moved the pointer
            self._record_outcome(entry, "reverted", "the pointer was not this promotion's any more")
            raise
        note = "not smoke-tested: no service named"
        if package.outside:
            note = "not smoke-tested: it is served elsewhere"
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

    def _smoke_test(self, package: ModelPackage) -> SmokeReport | None:
        """Test the running service; None where there is none, or the model is not ours to serve."""
        if self.smoke and not package.outside:
            return self.smoke(package)
        return None

    def _close_abandoned(self, entry: Entry) -> str:
        """Close an abandoned entry: live if the pointer was swapped and the model works."""
        promotion = entry.promotion
        report = None
        sound = False
        try:
            package = self.store.open(promotion.sha256)
            sound = self.store.pointer(promotion.model) == pointer_to(promotion)
            if sound:
                report = self._smoke_test(package)
                sound = report is None or report.passed
        except Exception as error:  # noqa: BLE001 - whatever fails, it must not stay in flight
            sound = False
            self.notify(f"promotion {promotion.number}: {error}")
        if sound:
            closed = self._record_outcome(entry, "live", "finished by repair")
        else:
            closed = self._revert(entry, report.failures if report else "undone by repair")
        name = f"promotion {promotion.number} of {promotion.model}"
        return f"{name} was left in flight: now {closed.state}"

    def _revert(self, entry: Entry, note: str) -> Entry:
        """Swap the pointer back, then record it: after a crash in between, `repair` continues."""
        model = entry.promotion.model
        pointer, _ = self._pointing.read(model)
        with suppress(Conflict):  # others took the entry over, and know better
            self._pointing.replace(model, champion(self.ledger.history(model)), over=pointer)
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
                self._pointing.sync(promotion.model)
                raise
        # Somebody who had read the ledger before may have moved the pointer since.
        self._pointing.sync(promotion.model)
        return closed


def _check_verdict(package: ModelPackage, verdict: Verdict) -> None:
    judged = verdict.candidate.sha256 if verdict.candidate else ""
    if verdict.verdict != "promote" or judged != package.digest:
        raise PromoteError(
            f"the verdict does not promote package {package.digest[:12]}", hint="run the gate first"
        )


def _in_flight_error(entry: Entry, problem: str = "") -> InFlight:
    promotion = entry.promotion
    name = f"promotion {promotion.number} of {promotion.model}"
    if problem:
        return InFlight(
            f"{name} is in flight (by {promotion.owner}), "
            f"and its lease cannot be judged: {problem}",
            hint="set the clock; or, if that process is gone, `tunegate repair --force`",
        )
    return InFlight(
        f"{name} is in flight (by {promotion.owner})",
        hint="wait for it; or, if that process is gone, `tunegate repair --force`",
    )


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
    if not choices:
        raise PromoteError(
            f"{model} cannot be rolled back: no other package of it was in production",
            hint="`tunegate history` shows what was",
        )
    wanted = current.promotion.previous if to is None else to
    if wanted not in choices:
        raise PromoteError(
            f"cannot roll {model} back to promotion {wanted}",
            hint=f"choose with --to from: {', '.join(map(str, choices))}",
        )
    return choices[wanted]
