"""Imports the libraries that only some tables need, or says how to install them."""

import importlib
import shutil
import sys
from pathlib import Path
from types import ModuleType

from trainer.errors import DataError

# The extras excel, sql and remote of pyproject.toml, which a test compares.
REQUIREMENTS = {
    "aiohttp": "aiohttp>=3.12",
    "gcsfs": "gcsfs>=2025.9",
    "openpyxl": "openpyxl>=3.1.5",
    "psycopg": "psycopg[binary]>=3.2",
    "s3fs": "s3fs>=2025.9",
    "sqlalchemy": "sqlalchemy>=2.0.43",
}
# The libraries behind fsspec's protocols.
PROTOCOL_PACKAGES = {
    "http": "aiohttp",
    "https": "aiohttp",
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
}


def require_package(name: str, what: str) -> ModuleType:
    """Import an optional library.

    Args:
        name: as it is imported.
        what: the source that needs it, for the message.

    Raises:
        DataError: with the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise missing_package(name, what) from error


def missing_package(name: str, what: str) -> DataError:
    """Return the error about an optional library that is not installed."""
    return DataError(f"{what}: reading it needs the package {name}", hint=install_hint(name))


def install_hint(name: str) -> str:
    """Return the command that installs a library; the environment has no pip of its own."""
    requirement = REQUIREMENTS.get(name, name)
    return (
        f"{_uv_command()} pip install --python {sys.prefix} '{requirement}' installs it; "
        "so does scripts/setup dev in a checkout, with all others"
    )


def _uv_command() -> str:
    """Return uv as a shell finds it: on the path, or where scripts/setup puts it."""
    own = Path(sys.prefix).parent / ".tools" / "bin" / "uv"
    if own.is_file() and not shutil.which("uv"):
        return str(own)
    return "uv"
