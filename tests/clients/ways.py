"""Runs in other people's environments, and tries each way of asking.

Prints as JSON what each gave or raised.
"""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

Way = Callable[[dict[str, Any]], Any]


def try_all(ways: dict[str, Way]) -> None:
    """Read what to ask from stdin; print a result or an error for each way."""
    asked = json.load(sys.stdin)
    json.dump({name: _try(way, asked) for name, way in ways.items()}, sys.stdout)


def _try(way: Way, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": way(asked)}
    except Exception:  # noqa: BLE001 - another program's: any error is reported
        return {"error": traceback.format_exc()}
