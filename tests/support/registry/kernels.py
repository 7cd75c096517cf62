"""Every kernel that can run here, on one forest or on one linear model."""

from collections.abc import Iterator

from registry.package import FlatForest, FlatLinear, kernel
from registry.package.c_kernel.packing import pack_levels
from registry.package.c_kernel.structures import WIDE
from registry.package.numpy_kernel import NumpyLinear, NumpyTraversal


def traversals(forest: FlatForest) -> Iterator[kernel.RowSums]:
    """Yield the forest as the C kernel walks it, where it was built, and as numpy does.

    Symmetric trees are walked and asked.
    """
    arrays = forest.arrays()
    n_features = forest.n_features
    if kernel._library:
        yield kernel.CTraversal(kernel._library, arrays, n_features=n_features, depth=forest.depth)
        if n_features <= WIDE and (packed := pack_levels(arrays)):
            yield kernel.CSymmetric(kernel._library, packed, n_features=n_features)
    yield NumpyTraversal(arrays, n_features=n_features, depth=forest.depth)


def linear_sums(model: FlatLinear) -> Iterator[kernel.RowSums]:
    """Yield the linear model as the C kernel adds it up, where it was built, and as numpy does."""
    if kernel._library:
        yield kernel.CLinear(kernel._library, model.arrays())
    yield NumpyLinear(model.arrays())
