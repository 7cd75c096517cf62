"""A copy of the model for other servers: ONNX, which is an extra.

`trainer.onnx.graph` makes it, `trainer.onnx.comparison` compares it with the package.
"""

from importlib import import_module
from importlib.metadata import version

from trainer.errors import TrainerError

LIBRARIES = ("onnx", "onnxruntime")


def require_onnx() -> dict[str, str]:
    """Return the versions of the libraries.

    Raises:
        TrainerError: when one is not installed.
    """
    for name in LIBRARIES:
        try:
            import_module(name)
        except ImportError as error:
            hint = "pip install 'tunegate[onnx]'"
            raise TrainerError(f"--onnx: the package {name} is not installed", hint=hint) from error
    return {name: version(name) for name in LIBRARIES}
