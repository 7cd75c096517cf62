"""Search spaces for tests: one by one, and any that lint lets pass."""

from decimal import Decimal

from hypothesis import strategies as st

from katib.space import Parameter

DISTRIBUTIONS = ("uniform", "logUniform", "normal", "logNormal")


def parameter(kind: str, name: str = "x", **space: object) -> Parameter:
    """Read one parameter as it is written in a document."""
    return Parameter.from_spec({"name": name, "parameterType": kind, "feasibleSpace": space})


def numbers(kind: str) -> st.SearchStrategy[Parameter]:
    """Any int or double parameter, with and without step, of any distribution."""
    places = st.just(0) if kind == "int" else st.integers(0, 4)

    def build(
        places: int, low: int, steps: int, step: int, rest: int, distribution: str
    ) -> Parameter:
        scale = Decimal(10) ** -places
        log = distribution.startswith("log")
        bottom = (abs(low) + 1 if log else low) * scale
        top = bottom + (steps * step + rest % step) * scale
        space = {"min": str(bottom), "max": str(top), "distribution": distribution}
        return parameter(kind, **space, **({"step": str(step * scale)} if rest % 3 else {}))

    return st.builds(
        build,
        places,
        st.integers(-1000, 1000),
        st.integers(1, 40),
        st.integers(1, 25),
        st.integers(0, 100),
        st.sampled_from(DISTRIBUTIONS),
    )


CATEGORICAL = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5, unique=True).map(
    lambda values: parameter("categorical", list=values)
)
DISCRETE = st.lists(st.integers(-50, 50), min_size=1, max_size=6, unique=True).map(
    lambda values: parameter("discrete", list=[f"{value / 4}" for value in values])
)
PARAMETERS = st.one_of(numbers("int"), numbers("double"), CATEGORICAL, DISCRETE)
