"""`predict` and `evaluate`: a package on a table."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.errors import ExitCode
from tunegate.output import say

if TYPE_CHECKING:  # the last brings pandas
    from registry.package import ModelPackage
    from trainer.spec import DataSetSpec
    from tunegate.prediction.evaluation import TableEvaluation


@click.command()
@click.argument("table", help="Rows to predict: a file, folder, pattern or URL, as in a spec.")
@click.option(
    "--output",
    "-o",
    type=options.PATH,
    help="The file to write: Parquet or JSON lines by its ending, otherwise CSV.",
    show_default="CSV on stdout",
)
@options.query
@click.option(
    "--keep", multiple=True, help="A column of the table to copy, such as an id; may be repeated."
)
@click.option("--probabilities", is_flag=True, help="Add a column for each class's probability.")
@click.option("--interval", is_flag=True, help="Add the ends of the prediction interval.")
@options.package
@options.places
@click.option("--json", is_flag=True, help="Print the rows as JSON lines on stdout.")
def predict(
    table: str,
    *,
    output: Path | None,
    query: str,
    keep: tuple[str, ...],
    probabilities: bool,
    interval: bool,
    package: Path | None,
    json: bool,
    **flags: options.Flags,
) -> int:
    """Predict a table's rows with the model in production, or with a package.

    Rows keep their order. CSV, Parquet and JSON lines may be of any size. The table is read as the
    training table was: by the data set's spec, if it is still there, and by its own content.

    Example: tunegate predict new.csv -o predictions.csv --keep id
    """
    from tunegate.prediction.frames import PredictionColumns
    from tunegate.prediction.runs import predict_file

    model = options.chosen_package(package, **flags)
    done = predict_file(
        model,
        table,
        output,
        PredictionColumns(probabilities=probabilities, interval=interval, keep=keep),
        json_lines=json,
        known=_known_spec(model, **flags),
        query=query,
    )
    for sentence in done.sentences():
        say(sentence)
    return ExitCode.DONE


@click.command()
@click.argument("table", help="A table that has the target, too; read as by `predict`.")
@options.query
@options.package
@options.places
@options.json
def evaluate(
    table: str, *, query: str, package: Path | None, json: bool, **flags: options.Flags
) -> int:
    """Score the model in production, or a package, on a labelled table.

    Rows that the model was trained on are counted, and the others are scored apart.

    Example: tunegate evaluate sold_since.csv
    """
    from tunegate.console import emit
    from tunegate.prediction.evaluation import evaluate_file

    model = options.chosen_package(package, **flags)
    found = evaluate_file(model, table, _known_spec(model, **flags), query=query)
    _show_scores(found)
    if json:
        emit(found.to_document())
    return ExitCode.DONE


def _known_spec(package: "ModelPackage", /, **flags: options.Flags) -> "DataSetSpec | None":
    """Return the spec of the model's data set; None if it is gone, or the settings' is another."""
    from trainer.errors import DataError

    try:
        spec = options.workspace(**flags).spec
    except DataError:
        if flags.get("data"):
            raise
        return None
    if spec.name == package.manifest.name:
        return spec
    return None


def _show_scores(found: "TableEvaluation") -> None:
    from rich.table import Table

    from tunegate.console import console

    model = found.package
    say(f"{model.manifest.name}, package {model.digest[:12]}")
    shown = Table(box=None, padding=(0, 2, 0, 0))
    shown.add_column("metric")
    shown.add_column(f"all {found.rows} rows", justify="right")
    if found.fresh:
        shown.add_column(f"{found.fresh_rows} fresh rows", justify="right")
    for name, value in found.scores.items():
        cells = [name, f"{value:.6g}"]
        if found.fresh:
            cells.append(f"{found.fresh[name]:.6g}" if name in found.fresh else "")
        shown.add_row(*cells)
    console.print(shown)
    if found.without_target:
        say(f"{found.without_target} rows have no {model.manifest.target}: they do not count")
    if found.trained_on:
        say(
            f"{found.trained_on} of {found.rows} rows were trained on: "
            "their scores flatter the model"
        )
    if found.untold:
        say(f"note: which rows the model was trained on cannot be told: {found.untold}")
