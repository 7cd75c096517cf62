"""The points of an answer: always as many as Katib asked for, since it takes no other number."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from katib.errors import InvalidExperiment, SpaceExhausted
from katib.search.sampler import Assignments, Search, TrialRecord
from katib.space import Parameter
from katib.suggestion.memory import Memory, new_memory, read_memory
from katib.suggestion.messages import Message
from katib.suggestion.reading import to_records, to_search
from katib.suggestion.requests import ENDED

MOST_POINTS = 10_000  # of one request


@dataclass(frozen=True, slots=True)
class Answer:
    """Points by the names of their trials, and what Katib shall keep for the next request."""

    points: list[tuple[str, Assignments]]
    memory: Memory


def suggest_points(request: Message) -> Answer:
    """Return as many points as asked for.

    A trial's name is `<experiment>-<number>-<8 letters>`: the number, from 0, tells the next
    request the order of asking; the letters keep two Experiments of one name apart.

    Raises:
        InvalidExperiment: when the request makes no sense.
        SpaceExhausted: when a grid has come to its end.
    """
    experiment = request.experiment
    search = to_search(experiment)
    count = request.current_request_number
    if not 0 <= count <= MOST_POINTS:
        raise InvalidExperiment(f"current_request_number must be 0 to {MOST_POINTS}, is {count}")
    memory = read_memory(experiment)
    if count == 0:
        return Answer([], memory)
    asked = request.total_request_number - count
    trials = request.trials
    if asked == 0:  # none of the trials can be ours
        trials = []
        memory = new_memory()
    records = to_records(experiment, trials, search.parameters)
    if asked < 0:
        asked = len(records)
    points = _exactly(search, records, count, asked)
    answer = [
        (memory.new_name(experiment.name, asked + place), point)
        for place, point in enumerate(points)
    ]
    ended = (trial.name for trial in trials if trial.status.condition in ENDED)
    return Answer(answer, memory.after(ended, answer))


def _exactly(
    search: Search, records: list[TrialRecord], count: int, asked: int
) -> list[Assignments]:
    """Return `count` points; where the space lacks new ones, earlier points again."""
    try:
        points = search.ask(records, count, asked)
    except SpaceExhausted as error:
        if search.algorithm == "grid":
            raise SpaceExhausted(
                f"the grid has ended: {error}", hint="set maxTrialCount to its size"
            ) from error
        points = []
    before = [trial.assignments for trial in records] + points
    repeated = _least_tried(search.parameters, before)
    return points + list(itertools.islice(repeated, count - len(points)))


def _least_tried(
    parameters: Sequence[Parameter], before: Iterable[Mapping[str, str]]
) -> Iterator[Assignments]:
    """Yield the points of a space that has been tried whole, those tried least often first."""
    names = [p.name for p in parameters]
    times = Counter(tuple(point[name] for name in names) for point in before)
    space = list(times)
    while True:
        values = min(space, key=lambda point: times[point])
        times[values] += 1
        yield dict(zip(names, values, strict=True))
