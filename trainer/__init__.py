"""One trial: data set spec -> split -> fit -> score -> model package.

Knows no Katib, registry or server; a trial is `python -m trainer` in a container or on this
machine. Only modules that import quickly are imported here: `trainer.dataset` imports pandas,
`trainer.recipe` scikit-learn.
"""

from trainer.errors import DataError, ParameterError, TrainerError
from trainer.spec import DataSetSpec, builtin_names, load_spec

__all__ = [
    "DataError",
    "DataSetSpec",
    "ParameterError",
    "TrainerError",
    "builtin_names",
    "load_spec",
]
