"""The files that come with tunegate: its Experiment, and its entries for Katib's configuration."""

from importlib import resources
from pathlib import Path

EXPERIMENT = Path("manifests/experiment.yaml")
ENTRIES = Path("manifests/components/suggestion/entries.yaml")


def shipped_experiment() -> Path:
    """Return the Experiment of the repository we are in, or the one that comes with tunegate."""
    return _shipped(EXPERIMENT)


def shipped_entries() -> Path:
    """Return the file of what Katib's configuration gets: our services and their needs."""
    return _shipped(ENTRIES)


def _shipped(path: Path) -> Path:
    if path.exists():
        return path
    packaged = Path(str(resources.files("tunegate") / path.name))
    if packaged.exists():
        return packaged
    return Path(__file__).parents[1] / path  # an editable installation has no copy
