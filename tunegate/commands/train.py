"""`train`."""

import click


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
