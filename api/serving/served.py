"""The model that answers now.

A swap is one assignment; the old model is freed when the last request that holds it is done.
"""

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
from registry.package import Manifest, ModelPackage, make_row_predictor, predict_encoded
from registry.store import Pointer

T = TypeVar("T")
encode = msgspec.json.Encoder().encode


class Listener(Protocol):
    """Hears of every prediction before it is sent; must be quick and must not raise."""

    def row(self, served: "Served", packed: bytes, shares: Sequence[float]) -> None:
        """Hear of one row: its features as packed float32, and the prediction's numbers."""

    def rows(
        self, served: "Served", x: NDArray[np.float32], predicted: NDArray[np.float64]
    ) -> None:
        """Hear of rows: features float32 (n, width), predictions float64 (n, n_outputs)."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A verified package, prepared for answering; a request keeps the one it began with.

    Attributes:
        package: the model package.
        pointer: the promotion that put it into production.
        reader: the fast reader of its rows; None for a model that only FastAPI's routes read.
        encoder: encodes its rows.
        loaded_at: when it was prepared, UTC.
        listeners: hear of every prediction.
        shares: predicts one packed row: a number, or the classes' shares.
        headers: headers of each answer in JSON.
        before, after: the JSON around a predicted number in the answer to one row.
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
        shares = make_row_predictor(package.predictor, package.manifest.output)
        row = package.golden.rows[0]
        shares(encoder.pack(tuple(row[column.name] for column in columns)))  # warms it up
        return cls(
            package=package,
            pointer=pointer,
            reader=reader,
            encoder=encoder,
            loaded_at=datetime.now(UTC),
            listeners=listeners,
            shares=shares,
            headers=[
                (b"content-type", b"application/json"),
                (b"x-model-version", package.digest.encode()),
            ],
            before=b"{" + encode(package.manifest.prediction) + b":",
            after=b',"model_version":' + encode(package.digest) + b"}",
        )

    def predict_row(self, cells: Cells) -> Sequence[float]:
        """Predict one row: a number, or the classes' shares."""
        packed = self.encoder.pack(cells)
        shares = self.shares(packed)
        for listener in self.listeners:
            listener.row(self, packed, shares)
        return shares

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict encoded rows.

        Args:
            x: float32 (n, sum of widths).

        Returns:
            float64 (n, 1), or (n, n_classes) shares.
        """
        predicted = predict_encoded(self.package.predictor, self.package.manifest.output, x)
        for listener in self.listeners:
            listener.rows(self, x, predicted)
        return predicted


def once_a_model(make: Callable[[Manifest], T]) -> Callable[[Served], T]:
    """Cache what `make` makes of a model's manifest; the cache entry goes with the model."""
    made: WeakKeyDictionary[Encoder, T] = WeakKeyDictionary()

    def get(served: Served) -> T:
        found = made.get(served.encoder)
        if found is None:
            found = made[served.encoder] = make(served.package.manifest)
        return found

    return get


@dataclass(slots=True)
class Slot:
    """Holds what is served.

    Attributes:
        served: the model that answers; None while there is none.
        refused: why the last change was refused; empty where it was not.
        removed: why the model was taken out; empty where it was not.
        swaps: changes since the start.
        listeners: hear of every prediction.
    """

    served: Served | None = None
    refused: str = ""
    removed: str = ""
    swaps: int = 0
    listeners: list[Listener] = field(default_factory=list)

    def swap(self, served: Served | None) -> None:
        """Serve this from now on; None when nothing is in production."""
        self.served = served
        self.refused = ""
        self.removed = ""
        self.swaps += 1

    def refuse(self, reason: str) -> None:
        """Keep what is served, and remember why the change was refused."""
        self.refused = reason


Slots = Mapping[str, Slot]


def likeliest(shares: Sequence[float]) -> int:
    """Return the index of the largest share, the first of equals."""
    return max(range(len(shares)), key=shares.__getitem__)
