"""Promotions without a gate: promoting verdicts, and promoters on a real store and ledger."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from promote.promotion import Promoter
from promote.smoke import SmokeCheck, SmokeReport
from promote.verdict import ModelSummary, Verdict
from registry import ModelStore, champion
from registry.package import ModelPackage
from registry.sqlite import SqliteLedger


def promoting_verdict(
    package: ModelPackage,
    champion: ModelPackage | None,
    **changes: Any,  # noqa: ANN401 - any fields
) -> Verdict:
    """Return the verdict that promotes `package` over the champion; `changes` are other fields."""
    manifest = package.manifest
    fields: dict[str, Any] = {
        "verdict": "promote",
        "kind": "promotion" if champion else "first",
        "model": manifest.name,
        "metric": manifest.metric,
        "mode": "two-key",
        "reasons": ("better",),
        "checks": (),
        "candidate": ModelSummary.of(package),
        "champion": ModelSummary.of(champion) if champion else None,
        "fingerprint": manifest.fingerprint,
    }
    return Verdict.checked({**fields, **changes})


@dataclass
class Clock:
    """A clock that moves only when `forward` is called."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeSmoke:
    """Stands in for the service: passes or fails as set, and remembers what it was asked about."""

    passes: bool = True
    asked: list[str] = field(default_factory=list)

    def __call__(self, package: ModelPackage) -> SmokeReport:
        self.asked.append(package.digest)
        check = SmokeCheck(name="golden predictions", passed=self.passes, detail="as set")
        return SmokeReport(url="http://service", checks=(check,))


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Give a folder for tests that write thousands of files; in memory if the machine has that."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own below it
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


class ClockedStore(ModelStore):
    """A store on a volume whose clock is a test's."""

    def __init__(self, root: Path, clock: Clock) -> None:
        super().__init__(root)
        self.clock = clock

    def now(self) -> datetime:
        """Return the clock's time."""
        return self.clock()


class PromotionSite:
    """A production site below one folder: a store, a ledger, and promoters that work on them."""

    def __init__(self, root: Path, *, model: str = "toy") -> None:
        self.root = root
        self.model = model
        self.clock = Clock(datetime.now(UTC))
        self.store = ClockedStore(root / "store", self.clock)
        self.ledger = SqliteLedger(root / "ledger.db")
        self.smoke = FakeSmoke()

    def promoter(self, **changes: Any) -> Promoter:  # noqa: ANN401 - a promoter's fields
        """Return a promoter; `changes` are other fields of it."""
        fields: dict[str, Any] = {
            "store": self.store,
            "ledger": self.ledger,
            "smoke": self.smoke,
            "clock": self.clock,
        }
        return Promoter(**{**fields, **changes})

    def states(self) -> list[str]:
        """Return the state of each entry, oldest first."""
        return [entry.state for entry in self.ledger.history(self.model)]

    def champion_digest(self) -> str | None:
        """Return the digest that the ledger says is in production."""
        entry = champion(self.ledger.history(self.model))
        return entry.promotion.sha256 if entry else None

    def pointed_digest(self) -> str | None:
        """Return the digest that servers follow."""
        pointer = self.store.pointer(self.model)
        return pointer.sha256 if pointer else None

    def assert_settled(self, package: ModelPackage | None) -> None:
        """Assert that ledger and pointer name this package, and that nothing is in flight."""
        digest = package.digest if package else None
        assert "in flight" not in self.states()
        assert self.champion_digest() == digest
        assert self.pointed_digest() == digest
        if digest:
            pointer = self.store.pointer(self.model)
            entry = champion(self.ledger.history(self.model))
            assert pointer
            assert entry
            assert pointer.number == entry.promotion.number
            self.store.open(digest)
