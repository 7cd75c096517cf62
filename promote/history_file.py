"""Tell the store what the ledger says, for servers, which have no ledger. A promotion never fails for it."""

from collections.abc import Sequence
from contextlib import suppress

from registry import Entry, Ledger, ModelStore, StoreError
from registry.history import History

ATTEMPTS = 3  # others may promote, and tell, while we do


def tell(store: ModelStore, ledger: Ledger, model: str, entries: Sequence[Entry]) -> str:
    """Project a model's ledger into the store, where that does not say the same already.

    Args:
        store: where the history is to be.
        ledger: the truth, read again after each write: what was just written may be behind by then.
        model: whose history.
        entries: the ledger as it was read last.

    Returns:
        What went wrong, for the log; empty when nothing did.
    """
    try:
        for _ in range(ATTEMPTS if entries else 0):
            wanted = History.of(model, entries)
            if _told(store, model) == wanted:
                break
            store.write_history(wanted)
            entries = ledger.history(model)
    except Exception as error:  # noqa: BLE001 - a promotion must not fail for what is only told of it
        return f"the history of {model} beside its pointer is behind ({error}); `tunegate repair` mends it"
    return ""


def _told(store: ModelStore, model: str) -> History | None:
    with suppress(StoreError):  # damaged: to be written anew
        return store.history(model)
    return None
