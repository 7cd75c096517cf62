"""What the service has to know from one request to the next, kept for it by Katib.

Katib stores settings that an answer names in the Suggestion's status, and sends them with the next
request among the Experiment's own; so the service itself remembers nothing. It takes two things:

- Katib never sends a Trial that is MetricsUnavailable, nor one that it is about to make. Without
  their points, the sampler would return to a region that gives no number again and again.
- Katib sends the Trials of all Experiments of one name, in whatever namespace, and of a deleted one
  (katib#2578). The letters of our Trials' names begin with a mark of the Experiment's own.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from katib.space import Assignments
from katib.suggestion.messages import Message
from katib.trial import NAME_CHARACTERS, NAME_LENGTH

SETTING = "tunegate.dev/asked"
MARK_LENGTH = 3
LARGEST = 64 << 10  # characters in the Suggestion's status; the newest points are kept


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier answers to one Experiment have left.

    Attributes:
        mark: the letters with which those of its Trials' names begin; empty where an earlier
            version of the service, or another one, has named some of them.
        open: the points whose end has not been seen yet, by their Trials' names.
    """

    mark: str = ""
    open: Mapping[str, Assignments] = field(default_factory=dict)

    def is_own(self, experiment: str, trial: str) -> bool:
        """Whether a Trial's name is one that this Experiment's service has given."""
        if not self.mark:
            return True
        form = rf"{re.escape(experiment)}-[0-9]{{1,18}}-{self.mark}[a-z0-9]+"
        return re.fullmatch(form, trial) is not None

    def new_name(self, experiment: str, number: int) -> str:
        """Return the name of the Trial with this number, from 0."""
        length = NAME_LENGTH - len(self.mark)
        letters = "".join(secrets.choice(NAME_CHARACTERS) for _ in range(length))
        return f"{experiment}-{number}-{self.mark}{letters}"

    def after(self, ended: Iterable[str], answer: Iterable[tuple[str, Assignments]]) -> "Memory":
        """Return what to remember after an answer, without the Trials whose end was seen."""
        points = {**self.open, **dict(answer)}
        for name in ended:
            points.pop(name, None)
        kept: dict[str, Assignments] = {}
        room = LARGEST
        for name, point in reversed(points.items()):
            room -= len(json.dumps({name: point}))
            if room < 0:
                break
            kept[name] = point
        return Memory(self.mark, kept)

    def to_setting(self) -> str:
        """Return the text that Katib keeps."""
        return json.dumps({"mark": self.mark, "open": self.open}, separators=(",", ":"))


def new_memory() -> Memory:
    """Return the memory of an Experiment that nothing has been asked of yet, with a new mark."""
    return Memory("".join(secrets.choice(NAME_CHARACTERS) for _ in range(MARK_LENGTH)))


def read_memory(experiment: Message) -> Memory:
    """Return what a request brings back; an empty memory where Katib has kept none."""
    for setting in experiment.spec.algorithm.algorithm_settings:
        if setting.name == SETTING:
            try:
                kept = json.loads(setting.value)
                return Memory(str(kept["mark"]), dict(kept["open"]))
            except (ValueError, TypeError, KeyError):  # somebody has changed it
                break
    return Memory()
