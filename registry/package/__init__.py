"""The model package: one folder that a server can load from an untrusted writer.

No pickle, no native code, no parser that is unsafe with memory. A package is arrays that are
checked once, a manifest that is validated, digests, and golden rows whose predictions must be as
written.
"""

from registry.package.arrays_file import MAX_RESIDUALS
from registry.package.columns import COLUMN_KINDS, Column, encode
from registry.package.forest import FlatForest
from registry.package.kernel import KERNEL
from registry.package.linear import FlatLinear
from registry.package.manifest import (
    CrossValidation,
    Importance,
    Interval,
    Link,
    Manifest,
    Output,
    Provenance,
)
from registry.package.metrics import HIGHER_IS_BETTER, METRICS, find_metric, row_losses
from registry.package.model_package import Draft, ModelPackage, load_package, write_package
from registry.package.prediction import (
    from_log,
    make_row_predictor,
    predict_encoded,
    row_matrix,
    smooth_shares,
)
from registry.package.predictor import Predictor
from registry.package.reference import (
    ColumnReference,
    column_references,
    count_rows,
    stability_index,
)
from registry.package.serving_cost import ServingCost, serving_cost

__all__ = [
    "COLUMN_KINDS",
    "HIGHER_IS_BETTER",
    "KERNEL",
    "MAX_RESIDUALS",
    "METRICS",
    "Column",
    "ColumnReference",
    "CrossValidation",
    "Draft",
    "FlatForest",
    "FlatLinear",
    "Importance",
    "Interval",
    "Link",
    "Manifest",
    "ModelPackage",
    "Output",
    "Predictor",
    "Provenance",
    "ServingCost",
    "column_references",
    "count_rows",
    "encode",
    "find_metric",
    "from_log",
    "load_package",
    "make_row_predictor",
    "predict_encoded",
    "row_losses",
    "row_matrix",
    "serving_cost",
    "smooth_shares",
    "stability_index",
    "write_package",
]
