import json
import subprocess
import sys

import pytest

import katib
from katib.errors import KatibError


def test_all_that_is_exported_is_there_and_sorted() -> None:
    assert list(katib.__all__) == sorted(katib.__all__)
    assert [name for name in katib.__all__ if not hasattr(katib, name)] == []


@pytest.mark.parametrize("name", ["EngineError", "InvalidExperiment", "SpaceExhausted"])
def test_every_error_of_the_room_has_one_root_and_a_hint(name: str) -> None:
    error = getattr(katib, name)("what", hint="do this")
    assert isinstance(error, KatibError)
    assert (str(error), error.hint) == ("what", "do this")


def test_linting_needs_no_numeric_library_and_nothing_of_ours() -> None:
    script = (
        "import json, sys, katib;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    heavy = {
        "optuna",
        "numpy",
        "scipy",
        "sklearn",
        "pandas",
        "registry",
        "trainer",
        "promote",
        "api",
        "tunegate",
    }
    assert heavy & set(json.loads(output)) == set()
