"""What answers with a fitted model: its library, the package, and what others compile it to."""

import copy
import io
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from registry.package import Output, Predictor, make_row_predictor, predict_encoded
from registry.package.arrays_file import pack_arrays
from trainer.onnx.graph import export_onnx

Model = Any  # of some library
Input = Any  # of some library
Matrix = NDArray[np.float32]
SCIKIT_TREES = ("random_forest", "extra_trees", "gradient_boosting", "hist_gradient_boosting")


class UnsupportedError(Exception):
    """This one cannot take such a model, or is not installed."""


class Fitted(NamedTuple):
    """A fitted model, and a folder for what is made of it."""

    name: str
    task: str
    estimator: Any
    predictor: Predictor
    output: Output
    folder: Path


class Contender(NamedTuple):
    """How one of them is asked.

    Attributes:
        one, many: predict one packed row, or many.
        pack_one, pack: make the input that suits it best of float32 (n, n_features); not timed.
        size: bytes that a server has to load, without libraries.
    """

    one: Callable[[Any], Any]
    many: Callable[[Any], Any]
    pack_one: Callable[[Matrix], Any]
    pack: Callable[[Matrix], Any]
    size: int

    def answers(self, x: Matrix) -> NDArray[np.float64]:
        """Return the last number of each row's answer, for comparing: float64 (n,)."""
        return np.asarray(self.many(self.pack(x)), dtype=np.float64).reshape(len(x), -1)[:, -1]


def own(fitted: Fitted) -> Contender:
    """The library's own predict."""
    estimator = fitted.estimator
    predict = estimator.predict if fitted.task == "regression" else estimator.predict_proba
    if fitted.name == "catboost":
        predict = partial(predict, thread_count=1)
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    return Contender(predict, predict, np.asarray, np.asarray, buffer.tell())


def package(fitted: Fitted) -> Contender:
    """Ours, of which the size is that of the arrays, without the hashes of the training rows."""
    predictor, output = fitted.predictor, fitted.output
    size = len(pack_arrays(predictor, np.empty(0, dtype=np.uint64)))
    one = make_row_predictor(predictor, output)
    many = partial(predict_encoded, predictor, output)
    return Contender(one, many, lambda row: row.tobytes(), np.asarray, size)


def onnx(fitted: Fitted) -> Contender:
    """ONNX Runtime on what the usual converter makes, in float32; on our own export otherwise."""
    onnxruntime = _import("onnxruntime")
    content = _to_onnx(fitted)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # CatBoost states a shape that its answers do not have
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0].name
    given = [session.get_outputs()[-1].name]

    def predict(x: Input) -> NDArray[np.float64]:
        return session.run(given, x)[0]

    def pack(x: Matrix) -> dict[str, Matrix]:
        return {taken: np.ascontiguousarray(x)}

    return Contender(predict, predict, pack, pack, len(content))


def _to_onnx(fitted: Fitted) -> bytes:
    boosters = _import("onnxmltools")
    types = _import("onnxmltools.convert.common.data_types")
    scikit = _import("skl2onnx")
    estimator = _convertible(fitted.estimator)
    width = fitted.predictor.n_features
    converters = {
        "lightgbm": boosters.convert_lightgbm,
        "xgboost": boosters.convert_xgboost,
    }
    try:
        if fitted.name in converters:
            taken = [("x", types.FloatTensorType([None, width]))]
            made = converters[fitted.name](estimator, initial_types=taken)
            return bytes(made.SerializeToString())
        if fitted.name == "catboost":
            path = fitted.folder / "model.onnx"
            estimator.save_model(str(path), format="onnx")
            return path.read_bytes()
        example = np.zeros((1, width), dtype=np.float32)
        options = {"zipmap": False} if fitted.task == "classification" else None
        return bytes(scikit.to_onnx(estimator, example, options=options).SerializeToString())
    except Exception as error:  # noqa: BLE001 - of any converter
        print(f"  ({fitted.name}: our export, as the converter fails: {error!r:.120})")
    classes = (0, 1) if fitted.task == "classification" else ()
    return export_onnx(fitted.predictor, fitted.output, columns=(), classes=classes)


def _convertible(estimator: Model) -> Model:
    """Return a linear model as converters know it: in the target's unit, without our cast."""
    inner = getattr(estimator, "regressor_", estimator)
    if not hasattr(inner, "steps"):
        return estimator
    steps = [copy.deepcopy(step) for _, step in inner.steps]
    if inner is not estimator:
        unit = estimator.transformer_
        steps[-1].coef_ = steps[-1].coef_ * unit.scale_[0]
        steps[-1].intercept_ = steps[-1].intercept_ * unit.scale_[0] + unit.mean_[0]
    return make_pipeline(*(step for step in steps if not isinstance(step, FunctionTransformer)))


def treelite(fitted: Fitted) -> Contender:
    """Treelite's own interpreter, GTIL."""
    model = _to_treelite(fitted)
    predict = partial(_import("treelite").gtil.predict, model, nthread=1)
    pack = _contiguous if fitted.name not in SCIKIT_TREES else _wide
    path = fitted.folder / "model.treelite"
    model.serialize(str(path))
    return Contender(predict, predict, pack, pack, path.stat().st_size)


def tl2cgen(fitted: Fitted) -> Contender:
    """TL2cgen's C code, compiled by gcc -O3."""
    model = _to_treelite(fitted)
    library = _import("tl2cgen")
    path = fitted.folder / "model.so"
    library.export_lib(
        model,
        toolchain="gcc",
        libpath=str(path),
        params={"parallel_comp": 8},
        options=["-O3"],
        nthread=2,
        verbose=False,
    )
    predictor = library.Predictor(str(path), nthread=1, verbose=False)
    dtype = "float64" if fitted.name in SCIKIT_TREES else "float32"

    def pack(x: Matrix) -> Input:
        return library.DMatrix(x.astype(dtype), dtype=dtype)

    return Contender(predictor.predict, predictor.predict, pack, pack, path.stat().st_size)


def _to_treelite(fitted: Fitted) -> Model:
    treelite = _import("treelite")
    if fitted.name in SCIKIT_TREES:
        return treelite.sklearn.import_model(fitted.estimator)
    if fitted.name == "lightgbm":
        return treelite.frontend.from_lightgbm(fitted.estimator.booster_)
    if fitted.name == "xgboost":
        return treelite.frontend.from_xgboost(fitted.estimator.get_booster())
    raise UnsupportedError("not taken")


def lleaves(fitted: Fitted) -> Contender:
    """lleaves, which compiles LightGBM's trees with LLVM."""
    if fitted.name != "lightgbm":
        raise UnsupportedError("not taken")
    library = _import("lleaves")
    path = fitted.folder / "model.txt"
    cache = fitted.folder / "model.bin"
    fitted.estimator.booster_.save_model(str(path))
    model = library.Model(model_file=str(path))
    model.compile(cache=str(cache))
    predict = partial(model.predict, n_jobs=1)
    return Contender(predict, predict, _wide, _wide, cache.stat().st_size)


def _import(name: str) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(name)
    except ImportError as error:
        raise UnsupportedError("not installed") from error


def _contiguous(x: Matrix) -> Matrix:
    return np.ascontiguousarray(x)


def _wide(x: Matrix) -> NDArray[np.float64]:
    return x.astype(np.float64)


CONTENDERS: dict[str, Callable[[Fitted], Contender]] = {
    "own": own,
    "package": package,
    "onnxruntime": onnx,
    "treelite": treelite,
    "tl2cgen": tl2cgen,
    "lleaves": lleaves,
}
