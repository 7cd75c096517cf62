"""Copy the ledger's history next to the pointer, for servers that cannot read the ledger."""

from collections.abc import Sequence
from contextlib import suppress

from registry import Entry, Ledger, ModelStore, StoreError
from registry.history import History

ATTEMPTS = 3  # others may promote, and write the history, at the same time


def write_history_file(
    store: ModelStore, ledger: Ledger, model: str, entries: Sequence[Entry]
) -> str:
    """Write a model's history into the store, unless it is there already.

    Errors are returned, never raised: a promotion must not fail because of this copy.

    Args:
        store: where to write.
        ledger: read again after each write, in case the history has grown meanwhile.
        model: whose history.
        entries: the ledger's entries as they were last read.

    Returns:
        What went wrong, for the log; empty when nothing did.
    """
    try:
        for _ in range(ATTEMPTS if entries else 0):
            wanted = History.of(model, entries)
            if _current_history(store, model) == wanted:
                break
            store.write_history(wanted)
            entries = ledger.history(model)
    except Exception as error:  # noqa: BLE001 - whatever fails, the promotion itself has succeeded
        return (
            f"the history of {model} next to its pointer is out of date ({error}); "
            "`tunegate repair` updates it"
        )
    return ""


def _current_history(store: ModelStore, model: str) -> History | None:
    with suppress(StoreError):  # a damaged file is written again
        return store.history(model)
    return None
