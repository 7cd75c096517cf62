"""The Suggestion service in any space after any history: exact count, feasible, new, repeatable."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.katib.search_spaces import PARAMETERS
from support.katib.suggestion_clients import (
    STATES,
    Controller,
    Started,
    Trial,
    pack_experiment,
    serving,
)

from katib.space import Parameter

ALGORITHMS = (
    "tunegate",
    "tunegate",
    "bayesianoptimization",
    "multivariate-tpe",
    "cmaes",
    "random",
    "sobol",
)
ENDS = tuple(
    state for state in STATES if state != "METRICSUNAVAILABLE"
)  # which Katib does not send
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr)
VALUES = st.one_of(
    st.none(),
    NUMBERS,
    NUMBERS,
    st.sampled_from(["nan", "inf", "", "unavailable", "1_0", "1e999", "-0"]),
)
SPACES = st.lists(PARAMETERS, min_size=1, max_size=4)


@dataclass(frozen=True)
class Past:
    """One trial of a history; `place` lies in [0, 1], `foreign` ones are of another Experiment."""

    place: float
    state: str
    value: str | None
    name: str
    foreign: bool


HISTORIES = st.lists(
    st.builds(
        Past,
        st.floats(0, 1),
        st.sampled_from(ENDS),
        VALUES,
        st.one_of(
            st.integers(0, 99).map(lambda n: f"tiny-{n}-bcdfghjk"),
            st.text("bcdf-0", min_size=1, max_size=9),
        ),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    with serving() as started:
        yield started


def named(parameters: Sequence[Parameter]) -> list[Parameter]:
    return [
        Parameter(f"p{i}", *[getattr(p, n) for n in Parameter.__slots__[1:]])
        for i, p in enumerate(parameters)
    ]


def trial(past: Past, space: Sequence[Parameter]) -> Trial:
    point = {p.name: p.from_unit(math.modf(past.place * (i + 1))[0]) for i, p in enumerate(space)}
    if past.foreign:
        point[space[0].name] = "not of this space"
    return Trial(past.name, point, past.state, past.value)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SPACES, HISTORIES, st.sampled_from(ALGORITHMS), st.integers(1, 6), st.integers(0, 2**40))
def test_in_any_space_after_any_history_the_answer_is_right(
    started: Started,
    parameters: list[Parameter],
    history: list[Past],
    algorithm: str,
    count: int,
    seed: int,
) -> None:
    space = named(parameters)
    experiment = pack_experiment(space, algorithm=algorithm, settings={"random_state": str(seed)})
    controller = Controller(
        experiment, started.client, trials=[trial(past, space) for past in history]
    )
    controller.count = len(history)
    started.client.validate(experiment)

    points = controller.peek(count)
    assert len(points) == count
    assert all(list(point) == [p.name for p in space] for point in points)
    assert all(p.contains(point[p.name]) for p in space for point in points)

    own = [t.point for t, past in zip(controller.trials, history, strict=True) if not past.foreign]
    tried = {tuple(point.values()) for point in own}
    new = {tuple(point.values()) for point in points} - tried
    assert len(new) == min(count, math.prod(p.size for p in space) - len(tried))

    assert controller.peek(count) == points
    assert controller.peek(1) == points[:1]
    # Where two trials share a number and a time, the name decides; the order of the list never
    # does.
    if len({t.name for t in controller.trials}) == len(history):
        assert controller.peek(count, controller.trials[::-1]) == points
