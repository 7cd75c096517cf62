"""What exists and what is in production.

Model packages and the store they live in, the pointer a server follows, and the ledger of promotions behind a port
with one adapter a backend.
"""

from registry.errors import (
    Conflict,
    InFlight,
    LedgerError,
    PackageError,
    RegistryError,
    StoreError,
    Unreachable,
)
from registry.ledger import Entry, Ledger, Outcome, Promotion, champion, in_flight
from registry.store import ModelStore, Pointer

__all__ = [
    "Conflict",
    "Entry",
    "InFlight",
    "Ledger",
    "LedgerError",
    "ModelStore",
    "Outcome",
    "PackageError",
    "Pointer",
    "Promotion",
    "RegistryError",
    "StoreError",
    "Unreachable",
    "champion",
    "in_flight",
]
