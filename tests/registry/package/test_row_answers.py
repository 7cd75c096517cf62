"""One row's answer has the bits of many rows' in each kernel, for every kind of trees and output.

The shapes are those that the C kernel treats apart: trees that are walked, or asked by levels, or
too wide to be laid out; shallow and deep; with one sum or several, in float64 or float32.
"""

import hashlib
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from registry.package import (
    FlatForest,
    FlatLinear,
    Output,
    Predictor,
    kernel,
    make_row_predictor,
    predict_encoded,
)
from registry.package.c_kernel.packing import pack_levels
from registry.package.c_kernel.structures import WIDE
from registry.package.numpy_kernel import exponential

Floats = NDArray[np.float64]
VALUES = (-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf)  # of thresholds and of cells
SIZES = (1, 15, 16, 33)  # the C kernel takes rows by sixteen
# Of exp and expm1 at -745.0 to 709.7: other bits are another machine's answers.
DIGEST = "7444c1cdf08f736a1b1ff91d76e6273832c6267ceafcbcad95b7b3c61bf894f1"


def tree(
    rng: np.random.Generator, depth: int, features: int, *, by_levels: bool
) -> NDArray[np.float64]:
    """Return feature, threshold, left, right and missing_left of each node, parents first."""
    nodes: list[list[float]] = [[]]
    level = [0]
    for step in range(depth + 1):
        questions = [(rng.integers(features), rng.choice(VALUES), rng.integers(2)) for _ in level]
        children = []
        for at, own in zip(level, questions, strict=True):
            if step == depth or (not by_levels and step and rng.random() < 0.3):
                nodes[at] = [0, 0, at, at, 0]
                continue
            feature, threshold, missing_left = questions[0] if by_levels else own
            left = len(nodes)
            nodes[at] = [feature, threshold, left, left + 1, missing_left]
            nodes += [[], []]
            children += [left, left + 1]
        level = children
    return np.array(nodes)


def arrays_of(trees: list[Floats], value: NDArray[Any]) -> dict[str, NDArray[Any]]:
    start = np.cumsum([0, *(len(nodes) for nodes in trees)]).astype(np.int32)
    joined = np.vstack(trees)
    offset = np.repeat(start[:-1], np.diff(start))
    left, right = ((joined[:, column] + offset).astype(np.int32) for column in (2, 3))
    inner = left != np.arange(len(left))
    return {
        "start": start,
        "feature": joined[:, 0].astype(np.int32),
        "threshold": joined[:, 1].astype(np.float32),
        "left": left,
        "right": right,
        "missing_left": joined[:, 4].astype(np.bool_),
        "value": np.where(inner[:, None], value.dtype.type(0), value),
    }


def outputs(draw: st.DrawFn, n_outputs: int, combine: str) -> Output:
    base = draw(st.sampled_from([(), tuple(0.1 * k - 3 for k in range(n_outputs))]))
    if combine == "mean" and not base and n_outputs > 1 and draw(st.booleans()):
        return Output(smooth=True)
    links = ["identity", "softmax"] + ["logistic", "expm1"] * (n_outputs == 1)
    return Output.checked({"combine": combine, "base": base, "link": draw(st.sampled_from(links))})


@st.composite
def forests(draw: st.DrawFn) -> tuple[dict[str, NDArray[Any]], int, Output]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_outputs = draw(st.sampled_from([1, 1, 2, 5]))
    features = draw(st.sampled_from([1, 3, WIDE, WIDE + 1]))
    by_levels = draw(st.booleans())
    deepest = draw(st.sampled_from([0, 1, 4, kernel.STEPS + 2]))
    trees = [
        tree(rng, rng.integers(deepest + 1), features, by_levels=by_levels)
        for _ in range(draw(st.sampled_from([1, 15, 16, 35])))
    ]
    value = rng.normal(size=(sum(map(len, trees)), n_outputs)) * draw(st.sampled_from([1, 300]))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    output = outputs(draw, n_outputs, draw(st.sampled_from(["sum", "mean"])))
    return arrays_of(trees, value.astype(dtype)), features, output


def rows(features: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(features)
    x = rng.choice([*VALUES, np.nan], (max(SIZES), features)).astype(np.float32)
    x[:16] = rng.normal(size=(16, features))  # without gaps
    return x


def assert_all_alike(predictors: list[Predictor], output: Output, x: NDArray[np.float32]) -> None:
    wanted = predict_encoded(predictors[0], output, x)
    for predictor in predictors:
        for n in SIZES:
            found = predict_encoded(predictor, output, x[:n])
            assert np.array_equal(found, wanted[:n], equal_nan=True)
        one = make_row_predictor(predictor, output)
        found = np.array([one(row.tobytes()) for row in x])
        assert np.array_equal(found, wanted, equal_nan=True)


def with_each_kernel(make: Any) -> list[Predictor]:  # noqa: ANN401 - makes a predictor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "_library", None)
        by_numpy = make()
    return [by_numpy, make()]


@settings(max_examples=80, derandomize=True, deadline=None)
@given(case=forests())
def test_trees_answer_one_row_as_they_answer_many(
    case: tuple[dict[str, NDArray[Any]], int, Output],
) -> None:
    arrays, features, output = case
    predictors = with_each_kernel(lambda: FlatForest.from_arrays(arrays, n_features=features))
    assert_all_alike(predictors, output, rows(features))


@settings(max_examples=20, derandomize=True, deadline=None)
@given(data=st.data())
def test_a_linear_model_answers_one_row_as_it_answers_many(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    features = data.draw(st.sampled_from([1, 7, WIDE + 1]))
    n_outputs = data.draw(st.sampled_from([1, 3]))
    parts = [*rng.lognormal(size=(3, features)), rng.normal(size=(features, n_outputs))]
    parts.append(rng.normal(size=n_outputs))
    output = outputs(data.draw, n_outputs, "sum")
    predictors = with_each_kernel(lambda: FlatLinear(*parts, features))
    assert_all_alike(predictors, output, rows(features))


def test_only_trees_of_equal_questions_are_asked_by_levels() -> None:
    rng = np.random.default_rng(0)

    def are_packed(*by_levels: int) -> bool:
        trees = [tree(rng, d, 3, by_levels=bool(each)) for each in by_levels for d in (3, 0, 2)]
        return pack_levels(arrays_of(trees, np.zeros((sum(map(len, trees)), 1)))) is not None

    assert are_packed(1)
    assert not are_packed(0)
    assert not are_packed(1, 0)


@pytest.mark.parametrize("n_bytes", [0, 11, 13, 16])
def test_a_row_of_another_length_is_refused(n_bytes: int) -> None:
    for n_outputs, output in ((1, Output()), (1, Output(link="logistic")), (2, Output())):
        ones = (*np.ones((3, 3)), np.ones((3, n_outputs)), np.ones(n_outputs))
        make = partial(FlatLinear, *ones, 3)
        for predictor in with_each_kernel(make):
            with pytest.raises(ValueError, match="expected"):
                make_row_predictor(predictor, output)(bytes(n_bytes))


def test_the_exponential_has_the_same_bits_everywhere() -> None:
    x = np.concatenate([np.arange(-7450, 7098) / 10, np.arange(-999, 1000) / 1024])
    x = np.concatenate([x, [0.0, np.inf, -np.inf, 1e308, -1e308, 5e-324, 710, -746]])
    digest = hashlib.sha256()
    for minus_one, by_kernel, by_python in (
        (False, kernel.exp, math.exp),
        (True, kernel.expm1, math.expm1),
    ):
        found = by_kernel(x)
        assert np.array_equal(found, exponential(x, minus_one=minus_one))
        finite = np.abs(x) < 709
        wanted = np.array([by_python(each) for each in x[finite]])
        assert (np.abs(found[finite] - wanted) <= 2 * np.spacing(np.abs(wanted))).all()
        digest.update(found.astype("<f8").tobytes())
    assert np.isnan(kernel.exp(np.array([np.nan]))).all()
    assert digest.hexdigest() == DIGEST
