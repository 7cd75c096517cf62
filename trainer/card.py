"""The model card: what a person should know before trusting the model. Written from the manifest, so never stale."""

from collections.abc import Mapping
from typing import Any

from trainer.dataset import Dataset


def card(manifest: Mapping[str, Any], dataset: Dataset) -> str:
    """Return the card as Markdown."""
    cv, spec = manifest["cross_validation"], dataset.spec
    folds = ", ".join(f"{score:.4g}" for score in cv.folds)
    parameters = "\n".join(f"| {name} | {value} |" for name, value in manifest["parameters"].items())
    columns = ", ".join(f"`{column.name}`" for column in dataset.columns)
    return f"""\
# {spec.name}

Predicts `{spec.target}` ({spec.task}) from {len(dataset.columns)} columns: {columns}.

- {cv.metric}, mean of {len(cv.folds)} cross-validation folds on the training part: **{cv.score:.6g}** ({folds}).
  It was searched for, so expect the error on new data to be a few per cent higher.
- Trained on {manifest["training_rows"]} rows; {len(dataset.holdout.y)} rows are held out, and only the gate reads them.
- Data fingerprint `{manifest["fingerprint"]}`, seed {manifest["seed"]}.
- Values outside the ranges of `manifest.json` were never seen; a forest answers them with its nearest leaves.

| {manifest["algorithm"]} | |
|---|---|
{parameters}

{spec.notes.strip()}
"""
