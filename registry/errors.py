"""Every error this room raises.

    RegistryError
    ├── PackageError      a model package is damaged, forged or of another format
    ├── StoreError        the volume refused: full, read-only, missing
    └── LedgerError
        ├── Conflict      somebody else created this number, or this outcome, first
        ├── InFlight      the newest promotion has no outcome yet
        ├── DamagedLedger a record is not as it was written, or missing
        └── Unreachable   the backend does not answer

`str(error)` says what is wrong and where; `hint` says what to do next.
"""


class RegistryError(Exception):
    """Root of the tree."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # tracebacks and notebooks show it


class PackageError(RegistryError):
    """A model package cannot be trusted."""


class StoreError(RegistryError):
    """The model store's volume cannot be read or written."""


class LedgerError(RegistryError):
    """The ledger refused an operation."""


class Conflict(LedgerError):
    """The record exists already: another writer was faster."""


class InFlight(LedgerError):
    """The newest promotion is still open, so its successor may not be numbered."""


class DamagedLedger(LedgerError):
    """The ledger's history is not the one that was written."""


class Unreachable(LedgerError):
    """The ledger's backend does not answer."""
