"""The model that answers now; swapped by one assignment, dropped when the last request that holds it is done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.codecs.fast_rows import FastRowReader
from api.codecs.rows import Cells, Encoder
from registry.package import Manifest, ModelPackage
from registry.package.model_package import finish
from registry.store import Pointer

T = TypeVar("T")
encode = msgspec.json.Encoder().encode


class Listener(Protocol):
    """Is told of every prediction, before it is answered; must be quick and must not raise."""

    def row(self, served: "Served", packed: bytes, shares: Sequence[float]) -> None:
        """One row: its packed float32 and the prediction."""

    def rows(
        self, served: "Served", x: NDArray[np.float32], predicted: NDArray[np.float64]
    ) -> None:
        """Rows: float32 (n, width) and float64 (n, n_outputs)."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A verified package and what is needed to answer with it; a request takes it once and keeps it to its end.

    Attributes:
        listeners: are told of every prediction.
        shares: predicts one packed row.
        headers: what each answer in JSON carries.
        before, after: what stands around a predicted number in the answer to one row.
    """

    package: ModelPackage
    pointer: Pointer
    reader: FastRowReader | None
    encoder: Encoder
    loaded_at: datetime
    listeners: Sequence[Listener]
    shares: Callable[[bytes], Sequence[float]]
    headers: Sequence[tuple[bytes, bytes]]
    before: bytes
    after: bytes

    @classmethod
    def make(
        cls, package: ModelPackage, pointer: Pointer, listeners: Sequence[Listener] = ()
    ) -> "Served":
        """Prepare a package for answering and warm it up."""
        columns = package.manifest.columns
        encoder = Encoder(columns)
        try:
            reader = FastRowReader(encoder)
        except ValueError:
            reader = None
        headers = [
            (b"content-type", b"application/json"),
            (b"x-model-version", package.digest.encode()),
        ]
        before = b"{" + encode(package.manifest.prediction) + b":"
        after = b',"model_version":' + encode(package.digest) + b"}"
        now = datetime.now(UTC)
        shares = _predictor(package)
        row = package.golden.rows[0]
        shares(encoder.pack(tuple(row[column.name] for column in columns)))
        return cls(
            package, pointer, reader, encoder, now, listeners, shares, headers, before, after
        )

    def predict_row(self, cells: Cells) -> Sequence[float]:
        """Predict one row: a number, or the classes' shares."""
        packed = self.encoder.pack(cells)
        shares = self.shares(packed)
        for listener in self.listeners:
            listener.row(self, packed, shares)
        return shares

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict encoded rows, float32 (n, sum of widths): float64 (n, 1), or (n, n_classes) shares."""
        predicted = finish(self.package.forest, self.package.manifest.output, x)
        for listener in self.listeners:
            listener.rows(self, x, predicted)
        return predicted


def _predictor(package: ModelPackage) -> Callable[[bytes], Sequence[float]]:
    """Return what `finish` does, for one packed row and without arrays where there are none to be had."""
    forest = package.forest
    output = package.manifest.output
    if output.link != "identity" or output.base:
        return lambda packed: finish(forest, output, np.frombuffer(packed, np.float32)[None])[
            0
        ].tolist()
    sums = forest.sums_row
    n = forest.n_trees
    if output.combine == "mean":
        return lambda packed: [total / n for total in sums(packed)]
    return sums


def once_a_model(make: Callable[[Manifest], T]) -> Callable[[Served], T]:
    """Make something of a model's manifest when it is first asked for; it is gone with the model."""
    made: WeakKeyDictionary[Encoder, T] = WeakKeyDictionary()

    def get(served: Served) -> T:
        found = made.get(served.encoder)
        if found is None:
            found = made[served.encoder] = make(served.package.manifest)
        return found

    return get


@dataclass(slots=True)
class Slot:
    """Holds what is served, and why the last change was refused, or that the model was taken out."""

    served: Served | None = None
    refused: str = ""
    removed: str = ""
    swaps: int = field(default=0)
    listeners: list[Listener] = field(default_factory=list)

    def swap(self, served: Served | None) -> None:
        """Serve this from now on; None when nothing is in production."""
        self.served = served
        self.refused = ""
        self.removed = ""
        self.swaps += 1

    def refuse(self, reason: str) -> None:
        """Go on with what is served, and remember why."""
        self.refused = reason


Slots = Mapping[str, Slot]


def likeliest(shares: Sequence[float]) -> int:
    """Return the place of the largest share, the first of several."""
    return max(range(len(shares)), key=shares.__getitem__)
