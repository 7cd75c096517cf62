"""What exists and what is in production.

Model packages and the store that keeps them, the pointer that servers follow, and the ledger of
promotions, a port with an adapter for each backend.
"""

from registry.errors import (
    Conflict,
    DamagedLedger,
    InFlight,
    LedgerError,
    PackageError,
    RegistryError,
    StoreError,
    Unreachable,
)
from registry.ledger import Challenge, Entry, Ledger, Outcome, Promotion, champion, in_flight
from registry.store import ModelStore, Pointer

__all__ = [
    "Challenge",
    "Conflict",
    "DamagedLedger",
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
