"""The flat linear model: one stated arithmetic in each kernel, checked arrays, its own format."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.registry.kernels import linear_sums
from support.registry.packages import draft, edit_manifest, node_arrays, npz
from support.registry.packages import replace_file as forge

from api.routes.open_inference import model_metadata
from api.serving.served import Served
from registry import PackageError, Pointer
from registry.package import FlatLinear, ModelPackage, Output, load_package, write_package

FEATURES = 4
SUM = Output(combine="sum")
ROWS = np.array([3, 5, 7, 9], dtype=np.uint64)


def arrays(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - arrays, whole or broken
    found = {
        "fill": np.array([6.0, 0.25, 0.0, 0.0]),
        "center": np.array([6.0, 0.5, 0.0, 0.0]),
        "scale": np.array([2.0, 0.5, 1.0, 1.0]),
        "coefficient": np.array([[3.0], [-2.0], [1.0], [0.0]]),
        "intercept": np.array([20.0]),
    }
    return {**found, **changes}


def model(**changes: Any) -> FlatLinear:  # noqa: ANN401 - as above
    return FlatLinear.from_arrays(arrays(**changes), n_features=FEATURES)


def write_linear(folder: Path) -> ModelPackage:
    wanted = draft(algorithm="ridge", parameters={"alpha": 1.0}, output=SUM)
    write_package(folder, replace(wanted, predictor=model()))
    return load_package(folder)


def in_stated_order(linear: FlatLinear, row: NDArray[np.float32]) -> list[float]:
    """Add up one row as the module says, with Python's own floats."""
    found = []
    for k in range(linear.n_outputs):
        total = 0.0
        for j, seen in enumerate(row.tolist()):
            known = float(linear.fill[j]) if np.isnan(seen) else seen
            z = (known - float(linear.center[j])) / float(linear.scale[j])
            total += float(linear.coefficient[j, k]) * z
        found.append(total + float(linear.intercept[k]))
    return found


@settings(max_examples=20, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), outputs=st.integers(1, 4), width=st.integers(1, 40))
def test_each_kernel_adds_in_the_stated_order(seed: int, outputs: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    linear = FlatLinear(
        fill=rng.normal(size=width),
        center=rng.normal(size=width),
        scale=rng.lognormal(size=width),
        coefficient=rng.normal(size=(outputs, width)).T,  # not contiguous
        intercept=rng.normal(size=outputs),
        n_features=width,
    )
    x = (rng.normal(size=(23, width)) * rng.choice([1, 1e30, 1e-40], width)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    wanted = np.array([in_stated_order(linear, row) for row in x])
    for kernel in linear_sums(linear):
        assert np.array_equal(kernel.sums(x), wanted)
        assert np.array_equal([kernel.sums_row(row.tobytes()) for row in x], wanted)
    assert np.array_equal(linear.sums(x[::-2]), wanted[::-2])


def test_a_gap_counts_as_its_fill_and_no_rows_have_no_sums() -> None:
    rows = np.array([[6.5, 0.75, 1, 0], [np.nan, np.nan, 0, 1]], dtype=np.float32)
    for kernel in linear_sums(model()):
        assert kernel.sums(rows).tolist() == [[20.75], [21.0]]
        assert kernel.sums(rows[:0]).shape == (0, 1)


def test_infinite_values_give_what_arithmetic_gives() -> None:
    rows = np.array([[np.inf, 0, 0, 0], [np.inf, np.inf, 0, 0]], dtype=np.float32)
    for kernel in linear_sums(model()):
        found = kernel.sums(rows)
        assert found[0] == np.inf
        assert np.isnan(found[1])


def test_rows_of_another_width_or_type_are_refused() -> None:
    with pytest.raises(ValueError, match="expected float32"):
        model().sums(np.zeros((1, FEATURES)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected the bytes of 4 float32"):
        model().sums_row(bytes(12))


def test_the_bound_holds_for_any_order_of_additions() -> None:
    rng = np.random.default_rng(1)
    linear = model(coefficient=rng.normal(size=(FEATURES, 1)) * 1e6, intercept=np.array([1e-3]))
    x = rng.normal(size=(500, FEATURES)).astype(np.float32)
    terms = linear.standardise(x) * linear.coefficient[:, 0]
    other = np.add.accumulate(np.hstack([linear.intercept + 0 * x[:, :1], terms[:, ::-1]]), axis=1)
    differences = np.abs(other[:, -1:] - linear.sums(x))
    assert differences.any()
    assert (differences <= linear.rounding(x)).all()
    assert (linear.rounding(x) < 1e-7).all()  # and says something


BROKEN = [
    ({"fill": np.zeros(FEATURES, np.float32)}, "fill must be float64"),
    ({"scale": np.ones(FEATURES, ">f8")}, "scale must be float64"),
    ({"center": [0.0] * FEATURES}, "center must be float64"),
    ({"coefficient": np.zeros(FEATURES)}, r"coefficient must have 2 dimension\(s\)"),
    ({"intercept": np.zeros((1, 1))}, r"intercept must have 1 dimension\(s\)"),
    ({"fill": np.zeros(3)}, "fill has 3 rows for 4 features"),
    ({"center": np.zeros(5)}, "center has 5 rows for 4 features"),
    ({"coefficient": np.zeros((5, 1))}, "coefficient has 5 rows for 4 features"),
    ({"coefficient": np.zeros((FEATURES, 0))}, "coefficient must have a column"),
    ({"intercept": np.zeros(2)}, r"intercept has 2 numbers for 1 output"),
    ({"scale": np.array([1.0, 0, 1, 1])}, "scale must be above 0"),
    ({"scale": np.array([1.0, -1, 1, 1])}, "scale must be above 0"),
    ({"scale": np.array([1.0, 5e-324, 1, 1])}, "terms add up to infinity"),
    ({"coefficient": np.full((FEATURES, 1), 1e300)}, "terms add up to infinity"),
    ({"intercept": np.array([1.7e308])}, "terms add up to infinity"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_arrays_that_break_a_rule_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PackageError, match=rf"model\.npz: {message}"):
        model(**changes)


@pytest.mark.parametrize("name", list(arrays()))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused(name: str, value: float) -> None:
    broken = arrays()[name].copy()
    broken.flat[-1] = value
    with pytest.raises(PackageError, match=f"{name} is not finite"):
        model(**{name: broken})


@pytest.mark.parametrize("name", list(arrays()))
def test_a_package_without_one_of_the_arrays_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_linear(tmp_path / "p").path
    kept = {key: array for key, array in arrays().items() if key != name}
    forge(folder, "model.npz", npz({"rows": ROWS, **kept}))
    with pytest.raises(PackageError, match=rf"array\(s\) missing: {name}"):
        load_package(folder)


def test_arrays_of_trees_and_of_a_linear_model_together_are_refused(tmp_path: Path) -> None:
    folder = write_linear(tmp_path / "p").path
    forge(folder, "model.npz", npz({"rows": ROWS, **arrays(), **node_arrays()}))
    with pytest.raises(PackageError, match="of trees and of a linear model"):
        load_package(folder)


def test_only_packages_that_need_it_have_the_new_format(tmp_path: Path) -> None:
    linear = write_linear(tmp_path / "linear")
    write_package(tmp_path / "trees", draft())
    trees = load_package(tmp_path / "trees")
    assert (linear.manifest.format, trees.manifest.format) == (3, 2)
    assert linear.predict({"rooms": [6.5], "river": [None], "zone": ["a"]}).tolist() == [[22.75]]
    assert (linear.predictor.kind, trees.predictor.kind) == ("linear", "flat-forest")
    with pytest.raises(TypeError, match="has no trees"):
        _ = linear.forest


@pytest.mark.parametrize("number", [1, 2])
def test_an_older_format_does_not_hold_a_linear_model(tmp_path: Path, number: int) -> None:
    folder = write_linear(tmp_path / "p").path
    edit_manifest(folder, format=number)
    with pytest.raises(PackageError, match=f"a linear model of format {number}"):
        load_package(folder)


def test_a_linear_model_has_no_mean_to_take(tmp_path: Path) -> None:
    folder = write_linear(tmp_path / "p").path
    edit_manifest(folder, output=json.loads(Output().to_json()))
    with pytest.raises(PackageError, match="combined by mean does not exist"):
        load_package(folder)


def test_a_server_answers_one_row_as_it_answers_many(tmp_path: Path) -> None:
    package = write_linear(tmp_path / "p")
    pointer = Pointer(model="houses", number=1, sha256=package.digest)
    served = Served.make(package, pointer)
    x = np.array([[6.5, np.nan, 1, 0], [1e30, 1, 0, 0]], dtype=np.float32)
    one_by_one = [served.shares(row.tobytes()) for row in x]
    assert np.array_equal(served.predict(x), one_by_one)
    assert model_metadata(served)["platform"] == "tunegate-linear"
