"""Judges a model that no package can hold by its predictions for the gate's folds."""

from pathlib import Path
from typing import TYPE_CHECKING

from tunegate.settings import load_settings
from tunegate.study.candidacy import Candidacy
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    from promote.verdict import Verdict


def write_gate_folds(data: str | Path, path: str | Path) -> None:
    """Write the rows and the gate's folds of a data set, as `tunegate gate --folds` does.

    Args:
        data: a built-in data set's name, or the path of a spec (.toml).
        path: `.parquet` makes a Parquet file, any other suffix JSON (docs/models.md).

    Raises:
        DataError: when the data set cannot be used.
        UsageError: when the file cannot be written.
    """
    from trainer.dataset import load_dataset  # noqa: PLC0415 - imports scikit-learn
    from tunegate.promotion.folds_file import write_folds  # noqa: PLC0415 - as above

    settings = load_settings(data=str(data))
    write_folds(Path(path), load_dataset(settings.data, include=settings.include), settings.gate)


def judge_evidence(
    data: str | Path, evidence: str | Path, *, state: str | Path | None = None
) -> "Verdict":
    """Judge a file of evidence against what is in production; nothing there changes.

    The evidence is kept as a trial, which `tunegate promote --trial` takes by the verdict's
    `candidate.trial`.

    Args:
        data: the data set whose folds the evidence is for.
        evidence: predictions for `write_gate_folds`' rows, JSON or Parquet.
        state: the folder of store and ledger; `.tunegate` by default.

    Raises:
        DataError: when the data set cannot be used.
        UsageError: when the file is not evidence for these data and the gate's folds.

    Example:
        >>> tg.write_gate_folds("houses.toml", "folds.json")
        >>> tg.judge_evidence("houses.toml", "evidence.json").verdict
    """
    from tunegate.promotion.outside_evidence import keep_evidence  # noqa: PLC0415 - as above

    workspace = Workspace(load_settings(data=str(data), state=state))
    trial = keep_evidence(workspace, Path(evidence))
    return Candidacy.find(workspace, trial=trial).judge()
