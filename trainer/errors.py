"""Every error this room raises.

TrainerError
├── DataError         a data set spec or its table cannot be used
├── ParameterError    a hyperparameter is out of its range
└── PushError         the metrics did not arrive where the environment says they go
"""


class TrainerError(Exception):
    """Root of the tree; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # tracebacks and notebooks show it


class DataError(TrainerError):
    """A data set spec or its table cannot be used."""


class ParameterError(TrainerError):
    """A hyperparameter is out of its range."""


class PushError(TrainerError):
    """The metrics did not arrive where the environment says they go."""
