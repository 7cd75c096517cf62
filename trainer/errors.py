"""Every error this room raises.

TrainerError
├── DataError         a data set spec or its table cannot be used
└── ParameterError    a hyperparameter is out of its range
"""


class TrainerError(Exception):
    """Root of the tree; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class DataError(TrainerError):
    """A data set spec or its table cannot be used."""


class ParameterError(TrainerError):
    """A hyperparameter is out of its range."""
