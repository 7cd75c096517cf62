"""One trial: data set spec -> split -> fit -> score -> model package.

Knows nothing of Katib, registries or servers; a trial is `python -m trainer` in a container or on this machine.
"""

from trainer.dataset import Dataset, Part, load_dataset
from trainer.errors import DataError, ParameterError, TrainerError
from trainer.recipe import Recipe
from trainer.spec import DataSetSpec, load_spec

__all__ = [
    "DataError",
    "DataSetSpec",
    "Dataset",
    "ParameterError",
    "Part",
    "Recipe",
    "TrainerError",
    "load_dataset",
    "load_spec",
]
