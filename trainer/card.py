"""The model card: what a person should know before trusting the model, made from the manifest."""

from collections.abc import Mapping, Sequence
from typing import Any

from registry.metric_names import USUAL_METRICS
from registry.package import METRICS, Importance
from trainer.dataset import Dataset
from trainer.learners import LEARNERS

ManifestFields = Mapping[str, Any]  # by the names of `Manifest`
TOP_COLUMNS = 20


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
{_out_of_bag_text(manifest)}{_interval_text(manifest)}\
- Trained on {manifest["training_rows"]} rows; \
{len(dataset.holdout.y)} rows are held out, and only the gate reads them.
{_learning_text(dataset)}- Data fingerprint `{manifest["fingerprint"]}`, seed {manifest["seed"]}.
- Values outside the ranges of `manifest.json` were never seen; \
{_beyond_text(manifest["algorithm"])}
{_onnx_text(onnx_error)}\
{_scores_text(manifest, dataset)}\
{_importances_text(manifest["importances"], cv.metric)}
| {manifest["algorithm"]} | |
|---|---|
{parameters}

{spec.notes.strip()}
"""


def _beyond_text(algorithm: str) -> str:
    """Return what the model makes of values that training has not seen."""
    if LEARNERS[algorithm].assemble:
        return "a linear model extends its straight line to them, however far they are."
    return "a forest answers them with its nearest leaves."


def _out_of_bag_text(manifest: ManifestFields) -> str:
    score = manifest["out_of_bag"]
    if score is None:
        return ""
    return f"""\
- Out of bag, {manifest["metric"]} is {score:.6g}: each training row predicted by the trees that
  were fitted without it.
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


def _learning_text(dataset: Dataset) -> str:
    """Return what fits and scores were changed by, if the spec asks for it."""
    spec = dataset.spec
    lines = []
    if spec.split.time:
        lines.append(
            f"- The holdout is the latest part by `{spec.split.time}`; "
            "each fold was predicted from earlier rows."
        )
    if spec.weight:
        lines.append(f"- Fits and scores are weighted by `{spec.weight}`.")
    if spec.class_weight == "balanced":
        lines.append("- In fits, each class has the same total weight, however rare it is.")
    if spec.target_transform == "log1p":
        lines.append(f"- It learned log(1 + {spec.target}); predictions are in the target's unit.")
    return "".join(f"{line}\n" for line in lines)


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


def _scores_text(manifest: ManifestFields, dataset: Dataset) -> str:
    """Return the usual metrics of the task as a table."""
    task = dataset.spec.task
    scores = manifest["scores"]
    units = {"rmse": f", in the unit of `{dataset.spec.target}`"}
    units["mae"] = units["rmse"]
    shown = [name for name in USUAL_METRICS[task] if name in scores]
    if not shown:
        return ""
    lines = [
        f"| {name} | {scores[name]:.4g} | {METRICS[task][name].words}{units.get(name, '')} |"
        for name in shown
    ]
    rows = "\n".join(lines)
    return f"""
| over all rows left out | | |
|---|---|---|
{rows}
"""


def _importances_text(importances: Sequence[Importance], metric: str) -> str:
    if not importances:
        return ""
    rows = "\n".join(
        f"| `{each.column}` | {each.mean:.3g} | {each.low:.3g} to {each.high:.3g} |"
        for each in importances[:TOP_COLUMNS]
    )
    more = len(importances) - TOP_COLUMNS
    left_out = f"\n\n{more} less important columns are in `manifest.json`." if more > 0 else ""
    return f"""
How much worse {metric} gets when a column's values are shuffled among rows left out. Of two columns
that say the same, each may look unimportant: the other one stands in for it.

| column | {metric} worse by | 90 % of folds and shuffles |
|---|---|---|
{rows}{left_out}
"""
