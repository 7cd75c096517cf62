"""How the simulator speaks with another's library: a line of JSON each way, on stdin and stdout."""

import json
import os
import sys
import time
from typing import Any, Protocol

Parameter = dict[str, Any]  # the fields of katib.space.Parameter
Assignments = dict[str, str]
Told = tuple[int, Assignments, float]  # place in the order of asking, assignments, loss


class Sampler(Protocol):
    """What a rival's program makes for each search."""

    def tell(self, told: list[Told]) -> None:
        """Take in trials that have ended."""

    def ask(self, count: int) -> list[Assignments]:
        """Return new points."""


def serve(make: Any) -> None:  # noqa: ANN401 - a function (parameters, message) -> Sampler
    """Answer until stdin ends; what a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sampler: Sampler | None = None
    for line in sys.stdin:
        message = json.loads(line)
        begun = time.process_time()
        if "start" in message:
            sampler = make(message["start"], message)
            points: list[Assignments] = []
        else:
            assert sampler is not None
            if message["told"]:
                sampler.tell([tuple(trial) for trial in message["told"]])
            points = sampler.ask(message["count"])
        answers.write(json.dumps({"points": points, "cpu": time.process_time() - begun}) + "\n")
