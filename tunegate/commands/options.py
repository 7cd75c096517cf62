"""Options that several commands share, and how they become settings."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from registry.errors import PackageError
from tunegate.errors import UsageError
from tunegate.settings import Settings, load_settings

if TYPE_CHECKING:  # the first knows all rooms
    from registry.package import ModelPackage
    from tunegate.workspace import Workspace

Flags = Any  # settings by name; `load_settings` checks them
F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
SECONDS = click.FloatRange(min=0)


class Back(StrEnum):
    """Where trials run."""

    LOCAL = "local"
    KATIB = "katib"


BACKS = click.Choice([str(back) for back in Back])


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for several options, which help shows in the order given."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


data = click.option(
    "--data",
    help="A built-in data set, or the path of a spec (.toml).",
    show_default="the Experiment's or the newest run's, or else boston",
)
include = click.option(
    "--include", multiple=True, help="A dropped column to learn from after all; may be repeated."
)
state = click.option(
    "--state", type=PATH, help="Folder of runs and verdicts.", show_default=".tunegate"
)
store = click.option(
    "--store",
    help="The model store: a folder, or an object store's URL such as s3://BUCKET/FOLDER.",
    show_default="<state>/store",
)
ledger = click.option(
    "--ledger",
    help="The ledger's file, an object store's URL, or the address of a Kubeflow Model Registry.",
    show_default="<state>/ledger.db",
)
model = click.option("--model", help="The model's name.", show_default="the data set's")
on = click.option(
    "--on",
    type=BACKS,
    default=Back.LOCAL.value,
    show_default=True,
    help="Where the trials run: on this machine, or on a cluster that has Katib.",
)
namespace = click.option(
    "--namespace", help="Namespace of the Experiment.", show_default="the document's"
)
context = click.option(
    "--context", help="Context of the kubeconfig.", show_default="the current one"
)
json = click.option("--json", is_flag=True, help="Print the result as JSON on stdout.")
url = click.option("--url", help="A running service, to smoke-test.")
api_key = click.option(
    "--api-key", type=PATH, help="File with the key that requests for predictions must carry."
)
host = click.option("--host", help="Address to serve on.", show_default="127.0.0.1")
port = click.option(
    "--port", type=click.IntRange(1, 65535), help="Port to serve on.", show_default="8000"
)
query = click.option(
    "--query", default="", help="The SQL whose rows are the table, where a database is named."
)
learner = click.option(
    "--model",
    "learner",
    default="",
    help="What to train: a learner's name, several with commas, or `all` (docs/models.md).",
    show_default="random_forest",
)
cpus = click.option("--cpus", type=click.IntRange(1), help="CPUs to use.", show_default="all")
mount = click.option(
    "--mount",
    "mounts",
    multiple=True,
    help="CLAIM=FOLDER or /MOUNT/PATH=FOLDER, where a trial's volume lies here.",
)
image = click.option(
    "--image",
    "images",
    multiple=True,
    help="IMAGE=PYTHON, the interpreter that stands for an image.",
)
mode = click.option("--mode", help="two-key, or strict-lower (the lower holdout loss wins).")
# Without a default: a flag that is not given must not override the environment.
new_data = click.option(
    "--allow-new-data",
    is_flag=True,
    default=None,
    help="The champion was trained on other data: compare now.",
)
new_schema = click.option(
    "--allow-schema-change",
    is_flag=True,
    default=None,
    help="The columns differ from the champion's.",
)
dry_run = click.option("--dry-run", is_flag=True, help="Decide, but change nothing in production.")
candidate = together(
    click.option(
        "--trial", help="A trial's name.", show_default="chosen among the newest run's best"
    ),
    click.option("--package", type=PATH, help="A model package's folder, instead of a trial's."),
    click.option(
        "--evidence",
        type=PATH,
        help="Another program's predictions for the gate's folds, a file, instead of a package.",
    ),
)
package = click.option(
    "--package", type=PATH, help="A model package's folder.", show_default="what is in production"
)
places = together(data, model, state, store, ledger)
judging = together(mode, new_data, new_schema)


def workspace(**flags: Flags) -> "Workspace":
    """Put settings and workspace together from a command's flags."""
    from tunegate.workspace import Workspace

    opened = Workspace(settings(**flags))
    if flags.get("data"):  # a mistyped name is reported before anything else that is missing
        _ = opened.spec
    return opened


def evidence_trial(
    opened: "Workspace", evidence: Path | None, *others: str | Path | None
) -> str | None:
    """Keep the evidence that a command was given as a trial; return its name, None without any.

    Raises:
        UsageError: when another candidate was named too, or it is no evidence for these data.
    """
    if evidence is None:
        return None
    if any(others):
        raise UsageError("--evidence and another candidate were named", hint="leave one out")
    from tunegate.promotion.outside_evidence import keep_evidence

    return keep_evidence(opened, evidence)


def chosen_package(folder: Path | None, **flags: Flags) -> "ModelPackage":
    """Load the package that `--package` names, or what is in production.

    Raises:
        UsageError: when nothing is in production.
        PackageError: when the package cannot be trusted.
    """
    from registry.package import load_package

    if folder:
        return load_package(folder)
    opened = workspace(**flags)
    found = opened.champion_package()
    if found is None:
        raise UsageError(
            f"nothing of {opened.model} is in production",
            hint="`tunegate run` brings a model there; --model or --data names another; "
            "--package takes a model package's folder",
        )
    if isinstance(found, PackageError):
        raise found
    return found


def settings(**flags: Flags) -> Settings:
    """Read the settings; flags that are named in `NESTED` belong to the gate and to the server."""
    for name in ("mounts", "images"):
        if flags.get(name):
            flags[name] = dict(_parse_pair(text, name) for text in flags[name])
    for part, names in NESTED.items():
        inside = {name: flags.pop(name, None) for name in names}
        given = {name: value for name, value in inside.items() if value not in {None, ()}}
        if given:
            flags[part] = given
    return load_settings(**flags)


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


def _parse_pair(text: str, option: str) -> tuple[str, str]:
    if option == "images":  # an image's name may hold a digest, `=` and all
        name, _, value = text.rpartition("=")
    else:
        name, _, value = text.partition("=")
    if not (name and value):
        raise click.BadParameter(
            f"{text!r}: write NAME=VALUE", param_hint=f"--{option.rstrip('s')}"
        )
    return name, value
