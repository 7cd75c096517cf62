"""Out-of-fold losses that were computed before, kept below the state folder.

A champion meets every challenger on the same folds, and `promote` asks what `gate` has asked a
minute ago. The losses of a recipe depend on nothing but the recipe, the folds, the data and the
libraries' versions, so they are kept by a digest of these: the same numbers, to the last bit.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from promote.evidence import Floats
from registry.atomic_files import write_atomic
from registry.errors import StoreError

LOSSES = "losses"  # the folder's name, below the state folder
MOST = 256  # files; the oldest go first
MOST_BYTES = 1 << 28


class LossCache:
    """Losses by what they follow from; a folder that cannot be read or written keeps nothing.

    Args:
        folder: where; None keeps nothing.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def find(self, question: Mapping[str, object], rows: int) -> Floats | None:
        """Return float64 (rows,), or None."""
        if self.folder is None:
            return None
        try:
            found = np.load(self._path(self.folder, question), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if found.dtype != np.float64 or found.shape != (rows,):
            return None
        losses: Floats = found
        return losses

    def keep(self, question: Mapping[str, object], losses: Floats) -> None:
        """Keep losses, unless the folder cannot be written or they would fill it alone."""
        if self.folder is None or losses.nbytes * MOST > MOST_BYTES:
            return
        content = io.BytesIO()
        np.save(content, losses, allow_pickle=False)
        with suppress(OSError, StoreError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path(self.folder, question), content.getvalue())
            files = sorted(self.folder.glob("*.npy"), key=lambda path: path.stat().st_mtime_ns)
            for path in files[:-MOST]:
                path.unlink(missing_ok=True)

    def _path(self, folder: Path, question: Mapping[str, object]) -> Path:
        asked = json.dumps(question, sort_keys=True)
        return folder / f"{hashlib.sha256(asked.encode()).hexdigest()}.npy"
