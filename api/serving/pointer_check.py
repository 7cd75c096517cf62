"""Whether the history next to a pointer knows what the pointer names.

Promotion writes an entry into the history before the pointer names it. So a pointer that was
written by anything else, or restored without its history, is noticed. It is no defence against a
writer who forges both: only promotion may be able to write that folder.
"""

import logging

from registry.errors import StoreError
from registry.store import ModelStore, Pointer

logger = logging.getLogger("tunegate.api")


def check_history(store: ModelStore, pointer: Pointer) -> None:
    """Check a pointer against the history; one that is missing or damaged decides nothing.

    Raises:
        StoreError: when the history does not know the promotion, or knows it as reverted or as
            another package's.
    """
    try:
        history = store.history(pointer.model)
    except StoreError as error:
        logger.warning("%s", error)
        return
    if history is None:
        return
    past = next((each for each in history.entries if each.number == pointer.number), None)
    if past and past.sha256 == pointer.sha256 and past.state != "reverted":
        return
    known = "does not have it"
    if past:
        known = f"says: package {past.sha256[:12]}, {past.state}"
    raise StoreError(
        f"the pointer of {pointer.model} names promotion {pointer.number}, "
        f"package {pointer.sha256[:12]}, but the history next to it {known}",
        hint="who wrote the pointer? `tunegate repair` lets both follow the ledger",
    )
