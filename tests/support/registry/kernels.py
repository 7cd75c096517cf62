"""Every kernel that can run here, on one forest or on one linear model."""

from collections.abc import Iterator

from registry.package import FlatForest, FlatLinear, kernel
from registry.package.numpy_kernel import NumpyLinear, NumpyTraversal


def traversals(forest: FlatForest) -> Iterator[kernel.RowSums]:
    """Yield the forest as the C kernel walks it, where it was built, and as numpy does."""
    if kernel._library:
        yield kernel.CTraversal(kernel._library, forest.arrays(), n_features=forest.n_features)
    yield NumpyTraversal(forest.arrays(), n_features=forest.n_features, depth=forest.depth)


def linear_sums(model: FlatLinear) -> Iterator[kernel.RowSums]:
    """Yield the linear model as the C kernel adds it up, where it was built, and as numpy does."""
    if kernel._library:
        yield kernel.CLinear(kernel._library, model.arrays())
    yield NumpyLinear(model.arrays())
