"""Options that several commands share, and how they become settings."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunegate.settings import Settings, load_settings

if TYPE_CHECKING:  # knows all rooms
    from tunegate.workspace import Workspace


class Back(StrEnum):
    """Where trials run."""

    LOCAL = "local"
    KATIB = "katib"


Data = Annotated[
    str | None, typer.Option(help="A built-in data set, or the path of a spec (.toml).", show_default="boston")
]
Include = Annotated[list[str] | None, typer.Option(help="A dropped column to learn from after all; may be repeated.")]
State = Annotated[Path | None, typer.Option(help="Folder of runs and verdicts.", show_default=".tunegate")]
Store = Annotated[Path | None, typer.Option(help="The model store.", show_default="<state>/store")]
Ledger = Annotated[
    str | None,
    typer.Option(
        help="The ledger's file, or the address of a Kubeflow Model Registry.", show_default="<state>/ledger.db"
    ),
]
Model = Annotated[str | None, typer.Option(help="The model's name.", show_default="the data set's")]
On = Annotated[Back, typer.Option(help="Where the trials run: on this machine, or on a cluster that has Katib.")]
Namespace = Annotated[str | None, typer.Option(help="Namespace of the Experiment.", show_default="the document's")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.", show_default="the current one")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Url = Annotated[str | None, typer.Option(help="A running service, to smoke-test.")]
ApiKey = Annotated[Path | None, typer.Option(help="File with the key that requests for predictions must carry.")]
Host = Annotated[str | None, typer.Option(help="Address to serve on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port to serve on.", show_default="8000", min=1, max=65535)]
Cpus = Annotated[int | None, typer.Option(help="CPUs to use.", show_default="all", min=1)]
Mount = Annotated[
    list[str] | None, typer.Option(help="CLAIM=FOLDER or /MOUNT/PATH=FOLDER, where a trial's volume lies here.")
]
Image = Annotated[list[str] | None, typer.Option(help="IMAGE=PYTHON, the interpreter that stands for an image.")]
NewData = Annotated[bool, typer.Option("--allow-new-data", help="The champion was trained on other data: compare now.")]
NewSchema = Annotated[bool, typer.Option("--allow-schema-change", help="The columns differ from the champion's.")]
Mode = Annotated[str | None, typer.Option(help="two-key, or strict-lower (the lower holdout loss wins).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Decide, but change nothing in production.")]


NESTED = {
    "gate": ("mode", "allow_new_data", "allow_schema_change"),
    "serving": (
        "also",
        "workers",
        "drain",
        "grpc_port",
        "access_log",
        "max_body",
        "max_rows",
        "max_requests",
        "body_seconds",
    ),
}


def workspace(**flags: Any) -> "Workspace":  # noqa: ANN401 - settings by name
    """Put settings and workspace together from a command's flags."""
    from tunegate.workspace import Workspace

    found = Workspace(settings(**flags))
    if flags.get("data"):  # a mistyped name is said first, whatever else is missing
        _ = found.spec
    return found


def settings(**flags: Any) -> Settings:  # noqa: ANN401
    """Read the settings; the flags of `NESTED` belong to the gate and to the server."""
    if flags.get("include") is not None:
        flags["include"] = tuple(flags["include"])
    for name in ("mounts", "images"):
        if flags.get(name):
            flags[name] = dict(_pair(text, name) for text in flags[name])
    nested = {part: _given(flags, names) for part, names in NESTED.items()}
    return load_settings(**flags, **{part: given for part, given in nested.items() if given})


def _given(flags: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    taken = {name: flags.pop(name, None) for name in names}
    return {name: value for name, value in taken.items() if value is not None}


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=") if option == "images" else text.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"{text!r}: write NAME=VALUE", param_hint=f"--{option.rstrip('s')}")
    return name, value
