"""One trial: data set spec -> split -> fit -> score -> model package.

Knows nothing of Katib, registries or servers; a trial is `python -m trainer` in a container or on this machine. Only
what is light to import stands here: `trainer.dataset` brings pandas, `trainer.recipe` scikit-learn.
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
