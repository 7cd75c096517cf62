"""`python -m trainer.own_model MODEL.joblib --data SPEC --output FOLDER`: unpickle and package.

Unpickling runs whatever the file's writer put into it. It is therefore a process of its own, which
`tunegate package --trust` starts; whoever starts it loads and verifies the package afterwards.
"""

import argparse
import sys
from pathlib import Path

import joblib

from registry.errors import RegistryError
from trainer.errors import TrainerError
from trainer.learners import Estimator
from trainer.own_model.packaging import package_fitted


def main(argv: list[str] | None = None) -> int:
    """Return 0, or 2 where the file, the model or the data cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m trainer.own_model", description=__doc__)
    parser.add_argument("model", type=Path, help="a file of joblib or pickle")
    parser.add_argument("--data", required=True, help="the data set that it was fitted on")
    parser.add_argument("--output", type=Path, required=True, help="the package's folder")
    arguments = parser.parse_args(argv)
    try:
        package_fitted(unpickle(arguments.model), arguments.data, arguments.output)
    except (TrainerError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 2
    return 0


def unpickle(path: Path) -> Estimator:
    """Load a fitted estimator from a file whose writer is trusted.

    Raises:
        TrainerError: when the file cannot be read, or holds no estimator.
    """
    try:
        fitted = joblib.load(path)
    except OSError as error:
        raise TrainerError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # whatever the pickle's own code raises
        raise TrainerError(
            f"{path}: cannot be unpickled: {type(error).__name__}: {error}",
            hint="use the versions of Python, scikit-learn and numpy that wrote it",
        ) from error
    if not hasattr(fitted, "get_params"):
        raise TrainerError(f"{path}: holds no estimator but a {type(fitted).__name__}")
    return fitted


if __name__ == "__main__":
    sys.exit(main())
