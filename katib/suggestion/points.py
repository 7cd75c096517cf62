"""The points of an answer: always as many as Katib asked for, since it takes no other number."""

import itertools
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from katib.errors import InvalidExperiment, SpaceExhausted
from katib.search.sampler import Assignments, Search, TrialRecord
from katib.space import Parameter
from katib.suggestion.messages import Message
from katib.suggestion.reading import to_records, to_search
from katib.trial import NAME_CHARACTERS, NAME_LENGTH

MOST_POINTS = 10_000  # of one request


def suggest_points(request: Message) -> list[tuple[str, Assignments]]:
    """Return (trial name, parameters) as often as asked.

    A trial's name is `<experiment>-<number>-<8 random letters>`: the number, from 0, tells the next
    request the order of asking; the letters keep two Experiments of one name in two namespaces
    apart in Katib's database.

    Raises:
        InvalidExperiment: when the request makes no sense.
        SpaceExhausted: when a grid has come to its end.
    """
    search = to_search(request.experiment)
    count = request.current_request_number
    if not 0 <= count <= MOST_POINTS:
        raise InvalidExperiment(f"current_request_number must be 0 to {MOST_POINTS}, is {count}")
    if count == 0:
        return []
    records = to_records(request.experiment, request.trials, search.parameters)
    asked = request.total_request_number - count
    if asked < 0:
        asked = len(records)
    points = _exactly(search, records, count, asked)
    return [
        (_trial_name(request.experiment.name, asked + i), point) for i, point in enumerate(points)
    ]


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


def _trial_name(experiment: str, number: int) -> str:
    letters = "".join(secrets.choice(NAME_CHARACTERS) for _ in range(NAME_LENGTH))
    return f"{experiment}-{number}-{letters}"
