"""Moves a model's pointer, and lets it follow the ledger.

A process may sleep anywhere, for hours, while others take its promotion over. So before a pointer
is replaced, with the new file already on the disk, the ledger is read again, and the pointer must
still be the one that was read; afterwards the ledger is read once more. What a sleeper can do wrong
then lasts no longer than one read and one rename.

Before the pointer moves, and last, a copy of the history is written for readers: a server looks
there for what the pointer names.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from promote.errors import PromoteError
from promote.history_file import write_history_file
from registry import (
    Conflict,
    Entry,
    Ledger,
    ModelStore,
    PackageError,
    Pointer,
    Promotion,
    StoreError,
    champion,
    in_flight,
)

MISSING = "it was missing"


@dataclass(frozen=True, slots=True)
class Pointing:
    """Moves pointers.

    Attributes:
        store: where they are.
        ledger: the truth.
        notify: called with a sentence about what went wrong without consequences.
    """

    store: ModelStore
    ledger: Ledger
    notify: Callable[[str], None]

    def move(self, promotion: Promotion) -> None:
        """Let the pointer name a promotion in flight.

        Raises:
            Conflict: when it is not in flight any more, or somebody else moved the pointer.
            StoreError: when the volume is full or read-only.
        """
        model = promotion.model
        # Servers look for what the pointer names in the history.
        self._write_history(model, self.ledger.history(model))
        before, _ = self.read(model)

        def check() -> None:
            self._require_in_flight(promotion)
            self._require_pointer(model, before)

        self.store.fenced(check).point(pointer_to(promotion))
        self._require_in_flight(promotion)

    def _require_in_flight(self, promotion: Promotion) -> None:
        entry = in_flight(self.ledger.history(promotion.model))
        if entry is None or entry.promotion.number != promotion.number:
            raise Conflict(
                f"promotion {promotion.number} of {promotion.model} was taken over by another "
                "process, because its lease was over",
                hint="`tunegate history` shows how it ended",
            )

    def _require_pointer(self, model: str, before: Pointer | None) -> None:
        pointer, _ = self.read(model)
        if pointer != before:
            raise Conflict(
                f"the pointer of {model} was moved by another process", hint="try once more"
            )

    def _write_history(self, model: str, history: Sequence[Entry]) -> None:
        problem = write_history_file(self.store, self.ledger, model, history)
        if problem:
            self.notify(problem)

    def sync(self, model: str, *, force: bool = False) -> list[str]:
        """Let the pointer name the ledger's champion, and write the history for readers.

        A promotion in flight moves the pointer itself, and calls this at its end.

        Raises:
            PromoteError: when the pointer is of another ledger, or of a newer state of this one.
            PackageError: when the champion's package is damaged; the pointer stays as it is.
        """
        done: list[str] = []
        while True:  # after each write look again: others may have promoted since we read
            # The pointer first: the ledger is then at least as new as what the pointer names.
            pointer, before = self.read(model)
            history = self.ledger.history(model)
            if pointer and not history:
                raise _unknown_model(model, before)
            if pointer and pointer.number > len(history) and not force:
                raise _older_ledger(pointer, len(history))
            current = champion(history)
            wanted = pointer_to(current.promotion) if current else None
            right = pointer == wanted and (pointer or before == MISSING)
            self._write_history(model, history)
            if right or in_flight(history):
                return done
            if current:
                self._open_champion(current.promotion)
            with suppress(Conflict):  # somebody else moved it: look again
                self.replace(model, current, over=pointer)
                done.append(f"the pointer of {model} follows the ledger again ({before})")

    def _open_champion(self, promotion: Promotion) -> None:
        try:
            self.store.open(promotion.sha256)
        except PackageError as error:
            raise PackageError(
                f"promotion {promotion.number} of {promotion.model} is in production, "
                f"but its package is not in the store: {error}",
                hint="is --store the right one? otherwise restore the folder, `tunegate import` a "
                "bundle, or `tunegate rollback`; the pointer was left as it is",
            ) from error

    def read(self, model: str) -> tuple[Pointer | None, str]:
        """Return the pointer, and a description of it; a damaged one is None."""
        try:
            pointer = self.store.pointer(model)
        except StoreError as error:
            return None, str(error)
        if pointer is None:
            return None, MISSING
        return pointer, f"it named promotion {pointer.number}"

    def replace(self, model: str, current: Entry | None, *, over: Pointer | None) -> None:
        """Let the pointer name the champion.

        Raises:
            Conflict: when the champion is another by now, or the pointer not the one that was read.
            StoreError: when the volume is full or read-only.
        """

        def check() -> None:
            newest = champion(self.ledger.history(model))
            if (newest and newest.promotion) != (current and current.promotion):
                raise Conflict(f"the champion of {model} has changed", hint="try once more")
            self._require_pointer(model, over)

        store = self.store.fenced(check)
        if current:
            store.point(pointer_to(current.promotion))
        else:
            store.unpoint(model)


def pointer_to(promotion: Promotion) -> Pointer:
    """Return the pointer that names a promotion."""
    return Pointer(model=promotion.model, number=promotion.number, sha256=promotion.sha256)


def _unknown_model(model: str, pointer: str) -> PromoteError:
    """A pointer without a ledger means a wrong path, not a model to take out of production."""
    return PromoteError(
        f"there is a pointer of {model} ({pointer}), but the ledger has no entry of that model",
        hint="store and ledger do not belong together: "
        "look at --state and --store, or restore the ledger",
    )


def _older_ledger(pointer: Pointer, last: int) -> PromoteError:
    """A ledger that was restored from a backup would give the number to another package."""
    return PromoteError(
        f"the pointer of {pointer.model} names promotion {pointer.number}, "
        f"but the ledger ends at {last}",
        hint="the ledger is older than the store: restore a newer one; "
        "or, to return to what the ledger says, `tunegate repair --force`",
    )
