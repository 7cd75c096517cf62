"""`import tunegate` costs next to nothing, and knows its names before it imports them."""

import subprocess
import sys

from support.cli import environment

import tunegate

HEAVY = ("pandas", "numpy", "click", "msgspec", "rich", "yaml", "sklearn", "katib", "trainer")


def test_import_brings_none_of_the_libraries() -> None:
    code = f"import sys, tunegate; print([m for m in {HEAVY!r} if m in sys.modules], end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]"


def test_each_name_of_the_api_exists_and_is_documented() -> None:
    assert set(tunegate.__all__) <= set(dir(tunegate))
    for name in tunegate.__all__:
        assert getattr(tunegate, name).__doc__, name
    assert not hasattr(tunegate, "no_such_name")
