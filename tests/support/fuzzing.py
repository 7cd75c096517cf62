"""How many damaged packages the tests make: a fixed number, or `TUNEGATE_TEST_FUZZ` times that."""

import os


def examples(usual: int) -> int:
    """Return the number of examples, `usual` where nobody asks for more."""
    return usual * int(os.environ.get("TUNEGATE_TEST_FUZZ", "1"))
