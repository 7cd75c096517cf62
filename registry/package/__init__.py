"""The model package: one folder that a server can load from an untrusted writer.

No pickle, no native code, no parser that is unsafe with memory. A package is arrays that are
checked once, a manifest that is validated, digests, and golden rows whose predictions must be as
written.
"""

from registry.package.arrays_file import MAX_RESIDUALS
from registry.package.columns import COLUMN_KINDS, Column, encode
from registry.package.forest import FlatForest
from registry.package.kernel import KERNEL
from registry.package.losses import HIGHER_IS_BETTER, METRICS, row_losses
from registry.package.manifest import CrossValidation, Interval, Manifest, Output, Provenance
from registry.package.model_package import (
    Draft,
    ModelPackage,
    load_package,
    predict_encoded,
    write_package,
)

__all__ = [
    "COLUMN_KINDS",
    "HIGHER_IS_BETTER",
    "KERNEL",
    "MAX_RESIDUALS",
    "METRICS",
    "Column",
    "CrossValidation",
    "Draft",
    "FlatForest",
    "Interval",
    "Manifest",
    "ModelPackage",
    "Output",
    "Provenance",
    "encode",
    "load_package",
    "predict_encoded",
    "row_losses",
    "write_package",
]
