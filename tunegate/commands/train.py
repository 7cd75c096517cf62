"""The commands `train` and `package`: what writes a model package without a search."""

import subprocess
import sys
from pathlib import Path

import click

from tunegate.commands import options
from tunegate.errors import ExitCode, UsageError
from tunegate.output import say


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def train(arguments: tuple[str, ...]) -> int:
    """Run one trial: fit with cross-validation, print the metrics, write the package.

    The same as `python -m trainer`, with the same options, but the current folder's own modules
    never stand for tunegate's.

    Example: tunegate train --data boston --n-estimators 200 --output model
    """
    from trainer.__main__ import main

    return main(list(arguments), prog="tunegate train")


@click.command("package")
@click.argument("model", type=options.PATH, help="A fitted model of scikit-learn: joblib, pickle.")
@click.option(
    "--output",
    "-o",
    type=options.PATH,
    help="The package's folder.  [default: packages/<the model's name>]",
)
@click.option(
    "--data",
    help="What it was fitted on: a built-in data set, or a spec (.toml).  [default: of the model's "
    "name: a spec next to it, or a built-in data set]",
)
@click.option(
    "--trust", is_flag=True, help="Unpickle the file, although that runs what its writer put in."
)
def package_command(model: Path, *, output: Path | None, data: str | None, trust: bool) -> int:
    """Turn a model that was kept by joblib into a package, proven to answer as the model does.

    `tunegate gate --package` and `tunegate promote --package` take it as a candidate.

    Example: tunegate package iris.joblib --trust
    """
    from registry.package import load_package

    if not model.is_file():
        raise UsageError(f"{model}: no such file")
    if not trust:
        raise UsageError(
            f"{model}: unpickling runs whatever its writer put into it",
            hint="add --trust if you know who wrote it; the package itself is safe to load",
        )
    output = output or Path("packages") / model.stem
    data = data or _data_of(model)
    # A process of its own: what unpickling leaves behind ends with it.
    words = [str(model.absolute()), "--data", data, "--output", str(output)]
    child = subprocess.run([sys.executable, "-P", "-m", "trainer.own_model", *words], check=False)
    if child.returncode == ExitCode.USAGE:  # it has said why
        return ExitCode.USAGE
    if child.returncode:
        raise UsageError(f"{model}: unpickling it ended its process with {child.returncode}")
    made = load_package(output)
    say(f"{output}: package {made.digest[:12]}; judge it with `tunegate gate --package {output}`")
    return ExitCode.DONE


def _data_of(model: Path) -> str:
    """Return the spec next to a model, or the built-in data set of its name; raises UsageError."""
    from trainer.spec import builtin_names

    spec = model.with_suffix(".toml")
    if spec.is_file():
        return str(spec)
    if model.stem in builtin_names():
        return model.stem
    raise UsageError(
        f"{model}: there is no {spec.name} next to it, and no built-in data set of its name",
        hint="name with --data what it was fitted on",
    )
