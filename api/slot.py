"""The model that answers now; swapped by one assignment, dropped when the last request that holds it is done."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.schema import RowSchema
from registry.package import ModelPackage
from registry.store import Pointer


@dataclass(frozen=True, slots=True)
class Served:
    """A verified package and what is needed to answer with it; a request takes it once and keeps it to its end."""

    package: ModelPackage
    pointer: Pointer
    schema: RowSchema
    loaded_at: datetime

    @classmethod
    def make(cls, package: ModelPackage, pointer: Pointer) -> "Served":
        """Prepare a package for answering and warm it up."""
        served = cls(package, pointer, RowSchema(package.manifest), datetime.now(UTC))
        row = package.golden.rows[0]
        package.predict({column.name: [row[column.name]] for column in package.manifest.columns})
        return served


@dataclass(slots=True)
class Slot:
    """Holds what is served, and why the last change was refused."""

    served: Served | None = None
    refused: str = ""
    swaps: int = field(default=0)

    def swap(self, served: Served | None) -> None:
        """Serve this from now on; None when nothing is in production."""
        self.served, self.refused = served, ""
        self.swaps += 1

    def refuse(self, reason: str) -> None:
        """Go on with what is served, and remember why."""
        self.refused = reason
