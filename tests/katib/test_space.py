import math
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.katib.search_spaces import DISTRIBUTIONS, PARAMETERS, numbers, parameter

from katib.space import Parameter

UNIT = st.floats(0, 1)


def is_feasible(p: Parameter, value: str) -> bool:
    """Judge by the definition: within the bounds, whole steps above the lower one."""
    if p.choices:
        return value in p.choices
    low = Decimal(repr(p.low))
    high = Decimal(repr(p.high))
    number = Decimal(value)
    on_step = p.step is None or (number - low) % Decimal(repr(p.step)) == 0
    return low <= number <= high and on_step and (p.kind == "double" or value == str(int(value)))


@settings(deadline=None)
@given(PARAMETERS, UNIT)
def test_every_number_of_the_unit_interval_becomes_a_feasible_value(p: Parameter, u: float) -> None:
    value = p.from_unit(u)
    assert is_feasible(p, value)
    assert p.contains(value)


@settings(deadline=None)
@given(PARAMETERS.filter(lambda p: p.size < math.inf), UNIT)
def test_a_finite_parameters_values_come_back_from_the_unit_interval(
    p: Parameter, u: float
) -> None:
    value = p.from_unit(u)
    assert p.from_unit(p.to_unit(value)) == value
    assert 0 <= p.to_unit(value) <= 1


@settings(deadline=None)
@given(numbers("double").filter(lambda p: p.step is None), UNIT)
def test_a_continuous_parameters_values_come_back_but_for_rounding(p: Parameter, u: float) -> None:
    value = float(p.from_unit(u))
    assert float(p.from_unit(p.to_unit(str(value)))) == pytest.approx(
        value, abs=1e-9 * (p.high - p.low)
    )


@settings(deadline=None)
@given(PARAMETERS.filter(lambda p: p.size < math.inf))
def test_all_values_of_a_finite_parameter_are_feasible_distinct_and_counted(p: Parameter) -> None:
    values = p.values()
    assert len(set(values)) == len(values) == p.size
    assert all(is_feasible(p, value) for value in values)


@settings(deadline=None)
@given(st.one_of(numbers("int"), numbers("double")), st.floats())
def test_the_nearest_value_is_feasible_and_nothing_is_nearer(p: Parameter, number: float) -> None:
    value = p.nearest(number)
    if math.isnan(number):
        assert value is None
        return
    assert value is not None
    assert is_feasible(p, value)
    others = (p.values() if p.size < math.inf else []) + [p.snap(p.low), p.snap(p.last)]
    clipped = min(max(number, p.low), p.high)
    assert abs(float(value) - clipped) <= min(abs(float(o) - clipped) for o in others) + 1e-9


@pytest.mark.parametrize(
    ("low", "high", "step", "values"),
    [
        ("0.1", "0.7", "0.1", ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]),
        ("0", "1", "0.3", ["0.0", "0.3", "0.6", "0.9"]),
        ("1.23456789012345", "2", "0.5", ["1.23456789012345", "1.73456789012345"]),
        ("-0.5", "0.5", "0.5", ["-0.5", "0.0", "0.5"]),
    ],
)
def test_steps_count_from_min_and_read_as_they_would_be_written(
    low: str, high: str, step: str, values: list[str]
) -> None:
    assert parameter("double", min=low, max=high, step=step).values() == values


def test_an_int_steps_by_one_unless_told_otherwise() -> None:
    assert parameter("int", min="2", max="5").values() == ["2", "3", "4", "5"]
    assert parameter("int", min="0", max="10", step="4").values() == ["0", "4", "8"]


def test_a_million_steps_reach_the_upper_bound() -> None:
    p = parameter("double", min="0.1", max="0.7", step="0.000001")
    assert (p.size, p.from_unit(1)) == (600_001, "0.7")


@settings(deadline=None)
@given(
    st.integers(-(10**18) + 1, 10**18 - 1), st.integers(1, 10**17), st.integers(1, 300), st.data()
)
def test_integers_have_all_their_digits(
    low: int, step: int, steps: int, data: st.DataObject
) -> None:
    high = min(low + step * steps, 10**18 - 1)
    assume(high > low)
    p = parameter("int", min=str(low), max=str(high), step=str(step))
    values = [str(value) for value in range(low, high + 1, step)]
    assert p.values() == values
    assert [p.from_unit((k + 0.5) / len(values)) for k in range(len(values))] == values
    assert [p.from_unit(p.to_unit(value)) for value in values] == values
    assert p.from_unit(data.draw(UNIT)) in values
    some = data.draw(st.integers(low, high))
    assert p.contains(str(some)) == (str(some) in values)
    assert p.nearest(some) in values
    assert abs(int(str(p.nearest(some))) - some) * 2 <= step or some > int(values[-1])


@settings(deadline=None)
@given(st.integers(1, 10**17), st.integers(1, 10**17), UNIT, st.sampled_from(DISTRIBUTIONS))
def test_large_integers_stay_within_their_bounds_on_any_scale(
    low: int, more: int, u: float, distribution: str
) -> None:
    p = parameter("int", min=str(low), max=str(low + more), distribution=distribution)
    assert "ormal" in distribution or (p.from_unit(0.0), p.from_unit(1.0)) == (
        str(low),
        str(low + more),
    )
    assert low <= int(p.from_unit(u)) <= low + more
    assert p.contains(p.from_unit(u))


def spread(p: Parameter, count: int = 9000) -> Counter[str]:
    return Counter(p.from_unit((i + 0.5) / count) for i in range(count))


def test_each_step_has_an_equal_share_the_ends_included() -> None:
    assert spread(parameter("int", min="1", max="3")) == {"1": 3000, "2": 3000, "3": 3000}
    shares = spread(parameter("double", min="0", max="1", step="0.3")).values()
    assert min(shares) == pytest.approx(max(shares), abs=1)
    assert spread(parameter("categorical", list=["a", "b", "c"])) == {
        "a": 3000,
        "b": 3000,
        "c": 3000,
    }


def test_a_log_scale_gives_each_decade_an_equal_share() -> None:
    p = parameter("double", min="0.01", max="10", distribution="logUniform")
    decades = Counter(
        math.floor(math.log10(float(p.from_unit((i + 0.5) / 9000)))) for i in range(9000)
    )
    assert decades == {-2: 3000, -1: 3000, 0: 3000}


@pytest.mark.parametrize(
    ("distribution", "low", "middle"), [("normal", "-1", 0.0), ("logNormal", "0.01", 0.1)]
)
def test_a_normal_has_its_mean_in_the_middle_and_six_deviations_between_the_ends(
    distribution: str, low: str, middle: float
) -> None:
    p = parameter("double", min=low, max="1", distribution=distribution)
    to_line = (lambda value: value) if distribution == "normal" else math.log
    values = [to_line(float(p.from_unit((i + 0.5) / 2000))) for i in range(2000)]
    width = to_line(1) - to_line(float(low))
    inside = sum(abs(value - to_line(middle)) < width / 6 for value in values)
    assert float(p.from_unit(0.5)) == pytest.approx(middle, abs=1e-12)
    assert inside / 2000 == pytest.approx(0.683, abs=0.01)
    assert (float(p.from_unit(0)), float(p.from_unit(1))) == pytest.approx((float(low), 1))


def test_discrete_values_are_ordered_as_numbers_and_keep_their_text() -> None:
    p = parameter("discrete", list=["10", "9", "1e1", "0.50"])
    assert p.values() == ["0.50", "9", "10", "1e1"]
    assert (p.nearest(0.4), p.nearest(8), p.nearest(None), p.nearest(-1e300)) == (
        "0.50",
        "9",
        "10",
        "0.50",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "7"),
        (7.4, "7"),
        (99, "30"),
        (-1, "4"),
        (None, "30"),
        (True, None),
        ("sqrt", None),
        (float("inf"), "30"),
    ],
)
def test_a_hyperparameter_of_elsewhere_is_clipped_none_is_no_limit_and_words_are_nothing(
    value: object, expected: str | None
) -> None:
    assert parameter("int", min="4", max="30").nearest(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, "true"), ("poisson", "poisson"), (None, "none"), (10, "10"), ("gini", None)],
)
def test_a_category_is_found_by_its_text(value: object, expected: str | None) -> None:
    assert (
        parameter("categorical", list=["true", "poisson", "none", "10"]).nearest(value) == expected
    )


@pytest.mark.parametrize("value", ["0.15", "0.75", "0.05", "nan", "inf", "x", ""])
def test_what_is_off_the_steps_or_out_of_bounds_is_not_contained(value: str) -> None:
    assert not parameter("double", min="0.1", max="0.7", step="0.1").contains(value)


def test_the_ends_of_a_range_are_what_was_written() -> None:
    rate = parameter("double", "rate", min="0.001", max="0.3", distribution="logUniform")
    assert (rate.from_unit(0.0), rate.from_unit(1.0)) == ("0.001", "0.3")
    assert (rate.to_unit("0.001"), rate.to_unit("0.3")) == (0.0, 1.0)
