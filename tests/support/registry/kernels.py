"""Every kernel that can run here, on one forest."""

from collections.abc import Iterator

from registry.package import FlatForest, kernel
from registry.package.numpy_kernel import NumpyTraversal


def traversals(forest: FlatForest) -> Iterator[kernel.Traversal]:
    """Yield the forest as the C kernel walks it, where it was built, and as numpy does."""
    if kernel._library:
        yield kernel.CTraversal(kernel._library, forest.arrays(), n_features=forest.n_features)
    yield NumpyTraversal(forest.arrays(), n_features=forest.n_features, depth=forest.depth)
