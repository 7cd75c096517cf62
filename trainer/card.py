"""The model card: what a person should know before trusting the model, made from the manifest."""

from collections.abc import Mapping
from typing import Any

from trainer.dataset import Dataset

ManifestFields = Mapping[str, Any]  # by the names of `Manifest`


def render_model_card(
    manifest: ManifestFields, dataset: Dataset, *, onnx_error: float | None = None
) -> str:
    """Return the card as Markdown; `onnx_error` is the ONNX copy's largest deviation."""
    cv = manifest["cross_validation"]
    spec = dataset.spec
    folds = ", ".join(f"{score:.4g}" for score in cv.folds)
    parameters = "\n".join(
        f"| {name} | {value} |" for name, value in manifest["parameters"].items()
    )
    columns = ", ".join(f"`{column.name}`" for column in dataset.columns)
    return f"""\
# {spec.name}

Predicts `{spec.target}` ({spec.task}) from {len(dataset.columns)} columns: {columns}.

- {cv.metric}, mean of {len(cv.folds)} cross-validation folds on the training part: \
**{cv.score:.6g}** ({folds}).
  It was searched for, so expect the error on new data to be a few per cent higher.
{_interval_text(manifest)}- Trained on {manifest["training_rows"]} rows; \
{len(dataset.holdout.y)} rows are held out, and only the gate reads them.
- Data fingerprint `{manifest["fingerprint"]}`, seed {manifest["seed"]}.
- Values outside the ranges of `manifest.json` were never seen; \
a forest answers them with its nearest leaves.
{_onnx_text(onnx_error)}
| {manifest["algorithm"]} | |
|---|---|
{parameters}

{spec.notes.strip()}
"""


def _interval_text(manifest: ManifestFields) -> str:
    if not (stated := manifest["interval"]):
        return ""
    return f"""\
- {100 * stated.coverage:.0f} % prediction interval: the prediction ± {stated.half_width:.4g}. \
In cross-validation it
  held {100 * stated.measured:.1f} % of the training rows, \
each fold judged by the others' residuals.
"""


def _onnx_text(error: float | None) -> str:
    if error is None:
        return ""
    return f"""\
- `model.onnx` is a copy for other servers (opset ai.onnx.ml 5; encoded float32 features). \
On random rows, on
  thresholds and with missing values its answers are at most {error:.2g} from the model's, \
with one thread; several
  threads add in another order.
"""
