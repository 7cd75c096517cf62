"""What a real Katib v0.19 showed; see tests/katib/recordings/README.md."""

import json
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parents[2] / "katib" / "recordings"
STOPS = RECORDINGS / "stops.json"  # Trials, not a case
CASES = sorted(path.stem for path in RECORDINGS.glob("*.json") if path != STOPS)


def recorded_case(case: str) -> dict[str, Any]:
    """Return a case: `applied`, and for some `experiment` and `trials` as they were at the end."""
    content: dict[str, Any] = json.loads((RECORDINGS / f"{case}.json").read_bytes())
    return content


def recorded_answers() -> list[dict[str, Any]]:
    """Return the specs that were tried: `name`, `applied`, and whether it was `refused`."""
    lines = (RECORDINGS / "invalid.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def recorded_stops() -> dict[str, dict[str, Any]]:
    """Return early-stopped Trials by name: `spec`, what was reported, and Katib's observation."""
    content: dict[str, dict[str, Any]] = json.loads(STOPS.read_bytes())
    return content
