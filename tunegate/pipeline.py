"""`tunegate run`: tune, gate, promote, serve, smoke-test; the server answers all the while."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from api.routes.row_schema import example_row
from katib.experiment import Experiment
from katib.objects import message
from promote import PromoteError
from promote.errors import NoCandidate
from promote.finalists import Contender
from registry.package import ModelPackage
from tunegate.console import say, show_verdict
from tunegate.local_server import Service, service
from tunegate.promotion.candidates import Contenders, challengers, ranked_trials
from tunegate.promotion.decision import Decision, decide
from tunegate.report.page import write_report
from tunegate.search.local import interrupted_run, tune_locally
from tunegate.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: go on with an interrupted search; go on serving after the end."""

    resume: bool = False
    serve: bool = True


def run(workspace: Workspace, experiment: Experiment, options: Options) -> Decision:
    """Run the whole pipeline; ends with the decision, or after Ctrl-C when it serves.

    Raises:
        UsageError, EngineError, NoCandidate, SmokeFailed, ...: as the steps do.
    """
    _end_on_sigterm()
    with service(workspace) as server:
        # What a crashed run left in flight is settled first, so that trial 0 takes after the right champion.
        for sentence in workspace.promoter(url=server.url).repair(workspace.model):
            say(sentence)
        _mention_unfinished(workspace, experiment, options)
        result = tune_locally(workspace, experiment, resume=options.resume)
        if not result.succeeded:
            raise NoCandidate(
                f"{experiment.name}: {message(result.experiment)}",
                hint=f"the trials' output is in {result.folder / 'trials'}",
            )
        found = _contenders(workspace, experiment, result.folder)
        decision = decide(workspace, found, workspace.settings.gate, url=server.url)
        show_verdict(decision.verdict)
        _conclude(workspace, decision, server)
        if options.serve and server.process:
            _serve_on(server)
    return decision


def _contenders(workspace: Workspace, experiment: Experiment, run: Path) -> Contenders:
    ranked = ranked_trials(workspace, run)
    found = challengers(workspace, ranked)
    best = ranked[0]
    first = found[0]
    if isinstance(first, Contender) and first.manifest.provenance.trial != best.trial:
        say(
            f"best trial: {best.trial}, {experiment.metric} {best.value:.4g}: the champion's own recipe"
        )
    return found


def _conclude(workspace: Workspace, decision: Decision, server: Service) -> None:
    if decision.after is None:
        say("nothing is in production")
    else:
        promotion = decision.after.promotion
        say(
            f"in production: promotion {promotion.number} of {promotion.model}, package {promotion.sha256[:12]}"
        )
        say("writing the report ...")
        say(f"report: {write_report(workspace, workspace.settings.state / 'report.html')}")
        package = workspace.champion_package()
        if isinstance(package, ModelPackage):
            say("try it:")
            say("  " + curl(server.url, package))


def curl(url: str, package: ModelPackage) -> str:
    """Return the command that asks the service for a prediction."""
    return f"curl -s {url}/predict -H 'Content-Type: application/json' -d '{json.dumps(example_row(package.manifest))}'"


def _serve_on(server: Service) -> None:
    say(f"serving at {server.url} (API: {server.url}/openapi.json); Ctrl-C stops")
    try:
        server.wait()
    except KeyboardInterrupt:
        say("stopped")
        return
    raise PromoteError("the server ended by itself", hint="see server.log in the state folder")


def _mention_unfinished(workspace: Workspace, experiment: Experiment, options: Options) -> None:
    if not options.resume and (left := interrupted_run(workspace, experiment)):
        say(f"note: {left} was interrupted; --resume would go on with it, this is a new run")


def _end_on_sigterm() -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
