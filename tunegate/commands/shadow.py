"""`shadow`: let a candidate answer real requests silently, and look at how it differs."""

from pathlib import Path

import click

from registry.errors import PackageError
from registry.package import ModelPackage
from registry.shadow import Shadow, ShadowStatus, comparison_obstacle
from tunegate.commands import options
from tunegate.console import emit, say, shadow_line
from tunegate.errors import ExitCode, UsageError
from tunegate.workspace import Workspace

LATEST = "latest"
DEFAULT_SHARE = 0.1


@click.command()
@click.argument(
    "candidate",
    required=False,
    help=f"A trial's name, a model package's folder, or `{LATEST}`: the gate's choice. "
    "Without it: show what runs.",
)
@click.option(
    "--share",
    type=float,
    help="Share of the requests, above 0, at most 1.",
    show_default=str(DEFAULT_SHARE),
)
@click.option("--stop", is_flag=True, help="Let no candidate answer any more.")
@options.places
@options.include
@options.cpus
@click.option("--url", help="The running service to ask.", show_default="http://HOST:PORT")
@options.api_key
@options.json
def shadow(
    candidate: str | None, share: float | None, *, stop: bool, json: bool, **flags: options.Flags
) -> int:
    """Let a candidate answer a share of real requests silently; without one, show what runs.

    Nobody is given its answers. How they differ is in the server's metrics, and in the gate's
    evidence.

    Example: tunegate shadow latest --share 0.2
    """
    _check_usage(candidate, share, stop=stop)
    workspace = options.workspace(**flags)
    if stop:
        workspace.store.clear_shadow(workspace.model)
        say(f"no candidate of {workspace.model} answers silently any more")
    elif candidate:
        started = _start_shadow(workspace, candidate, DEFAULT_SHARE if share is None else share)
        if json:
            emit(started.to_dict())
    else:
        status = _show_status(workspace)
        if json:
            emit(status.to_dict())
    return ExitCode.DONE


def _check_usage(candidate: str | None, share: float | None, *, stop: bool) -> None:
    hint = "tunegate shadow [CANDIDATE [--share SHARE] | --stop]"
    if stop and candidate:
        raise UsageError("--stop takes no candidate", hint=hint)
    if share is not None and not candidate:
        raise UsageError("--share is for a candidate", hint=hint)
    if share is not None and not 0 < share <= 1:
        raise UsageError(
            f"--share {share:g}: it must be above 0 and at most 1",
            hint="0.1 is every tenth request",
        )


def _start_shadow(workspace: Workspace, candidate: str, share: float) -> Shadow:
    from tunegate.promotion.candidates import require_champion

    hint = "a shadow is compared with what serves: `tunegate promote` first"
    champion = require_champion(workspace, hint=hint)
    package = _find_package(workspace, candidate)
    _check_comparable(champion, package)
    started = Shadow(model=workspace.model, sha256=package.digest, share=share)
    workspace.store.add(package)
    workspace.store.set_shadow(started)
    say(f"package {package.digest[:12]} answers {share:g} of {workspace.model}'s requests silently")
    say("`tunegate shadow` shows how it differs, `tunegate shadow --stop` ends it")
    return started


def _find_package(workspace: Workspace, candidate: str) -> ModelPackage:
    from tunegate.promotion.candidates import find_candidate

    trial = None
    folder = None
    if workspace.store.trial(candidate).is_dir():
        trial = candidate
    elif candidate != LATEST:
        folder = Path(candidate)
        if not folder.is_dir():
            raise UsageError(
                f"{candidate}: neither a trial below {workspace.store.trial('')} nor a folder",
                hint=f"name a trial, a package's folder, or `{LATEST}`",
            )
    found = find_candidate(workspace, trial=trial, package=folder)
    if isinstance(found, PackageError):
        raise found
    return found


def _check_comparable(champion: ModelPackage, candidate: ModelPackage) -> None:
    if champion.digest == candidate.digest:
        raise UsageError("the candidate is in production already", hint="name another one")
    for package in (champion, candidate):
        package.require_model()
    problem = comparison_obstacle(champion.manifest, candidate.manifest)
    if problem:
        raise UsageError(
            problem, hint="only what reads the champion's encoded rows can be compared with it"
        )


def _show_status(workspace: Workspace) -> ShadowStatus:
    from promote.shadow_client import fetch_shadow_status

    settings = workspace.settings
    status = fetch_shadow_status(
        settings.url or settings.address, workspace.model, key=settings.key
    )
    if status.candidate:
        share = f"{status.share:g} of the requests " if status.share else ""
        say(
            f"package {status.candidate[:12]} answers {share}silently "
            f"next to {status.champion[:12]}"
        )
    elif not status.refused:
        say(f"no candidate of {workspace.model} answers silently")
    if status.refused:
        say(f"not compared: {status.refused}")
    if status.seen:
        say(shadow_line(status.seen))
    return status
