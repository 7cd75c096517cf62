"""What `doctor` says of Katib's client and the client of Kubernetes next to it."""

import pytest

from tunegate.doctor.machine import describe_katib_client


@pytest.mark.parametrize("kubernetes", ["36.0.2", "37.0.1"])
def test_a_pair_of_clients_that_does_not_work_is_named(kubernetes: str) -> None:
    assert "'kubernetes<36'" in describe_katib_client("0.19.0", kubernetes)


def test_a_pair_of_clients_that_works_is_shown() -> None:
    assert describe_katib_client("0.19.0", "35.0.0") == "0.19.0 with kubernetes 35.0.0"
