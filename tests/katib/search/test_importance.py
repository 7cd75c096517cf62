import pytest
from support.katib.search_spaces import parameter

from katib.search.importance import parameter_importances
from katib.search.sampler import Search

SPACE = (
    parameter("double", "strong", min="0.001", max="1", distribution="logUniform"),
    parameter("int", "weak", min="1", max="9"),
    parameter("categorical", "none", list=["a", "b"]),
)


def trials(count: int) -> list[tuple[dict[str, str], float]]:
    points = Search(SPACE, "random", {}, minimize=True, seed=1, first={}).ask([], count)
    return [(point, 100 * float(point["strong"]) + 0.1 * float(point["weak"])) for point in points]


@pytest.mark.parametrize("minimize", [True, False])
def test_what_decided_the_objective_comes_first_and_shares_add_up_to_one(*, minimize: bool) -> None:
    shares = parameter_importances(SPACE, trials(60), minimize=minimize)
    assert next(iter(shares)) == "strong"
    assert set(shares) == {"strong", "weak", "none"}
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_there_is_nothing_to_say_of_few_trials_or_of_equal_ones() -> None:
    assert parameter_importances(SPACE, trials(3), minimize=True) == {}
    assert (
        parameter_importances(SPACE, [(point, 1.0) for point, _ in trials(10)], minimize=True) == {}
    )


def test_trials_of_another_space_are_passed_over_and_those_beyond_the_bounds_are_not() -> None:
    foreign = [({"strong": "0.5", "weak": "3", "none": "c"}, 0.0), ({"strong": "0.5"}, 0.0)]
    assert parameter_importances(
        SPACE, [*trials(20), *foreign], minimize=True
    ) == parameter_importances(SPACE, trials(20), minimize=True)
    beyond = [({"strong": "2", "weak": "12", "none": "a"}, 0.0)]
    assert sum(
        parameter_importances(SPACE, [*trials(20), *beyond], minimize=True).values()
    ) == pytest.approx(1)
