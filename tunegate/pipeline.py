"""`tunegate run`: tune, gate, promote, smoke-test and serve; the server runs throughout."""

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
from tunegate.local_server import Service, running_service
from tunegate.promotion.candidates import Contenders, distinct_best_trials, ranked_trials
from tunegate.promotion.decision import Decision, decide_promotion
from tunegate.report.page import write_report
from tunegate.search.local import interrupted_run, tune_locally
from tunegate.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How to run.

    Attributes:
        resume: resume an interrupted search.
        serve: keep serving after the end.
    """

    resume: bool = False
    serve: bool = True


def run_pipeline(
    workspace: Workspace, experiment: Experiment, options: PipelineOptions
) -> Decision:
    """Run the whole pipeline; returns after the decision or, if it serves, after Ctrl-C.

    Raises:
        UsageError, EngineError, NoCandidate, SmokeFailed, ...: as the steps do.
    """
    _interrupt_on_sigterm()
    with running_service(workspace) as server:
        # First settle what a crashed run left in flight: trial 0 repeats the champion's recipe.
        for sentence in workspace.promoter(url=server.url).repair(workspace.model):
            say(sentence)
        if not options.resume:
            _mention_unfinished(workspace, experiment)
        result = tune_locally(workspace, experiment, resume=options.resume)
        if not result.succeeded:
            raise NoCandidate(
                f"{experiment.name}: {message(result.experiment)}",
                hint=f"the trials' output is in {result.folder / 'trials'}",
            )
        contenders = _find_contenders(workspace, experiment, result.folder)
        gate = workspace.settings.gate
        decision = decide_promotion(workspace, contenders, gate, url=server.url)
        show_verdict(decision.verdict)
        _show_result(workspace, decision, server)
        if options.serve and server.process:
            _serve_until_interrupted(server)
    return decision


def _mention_unfinished(workspace: Workspace, experiment: Experiment) -> None:
    left = interrupted_run(workspace, experiment)
    if left:
        say(f"note: {left} was interrupted; --resume would resume it, this is a new run")


def _find_contenders(workspace: Workspace, experiment: Experiment, run: Path) -> Contenders:
    ranked = ranked_trials(workspace, run)
    contenders = distinct_best_trials(workspace, ranked)
    best = ranked[0]
    first = contenders[0]
    if isinstance(first, Contender) and first.manifest.provenance.trial != best.trial:
        say(
            f"best trial: {best.trial}, {experiment.metric} {best.value:.4g}: "
            "the champion's own recipe"
        )
    return contenders


def _show_result(workspace: Workspace, decision: Decision, server: Service) -> None:
    if decision.after is None:
        say("nothing is in production")
        return
    promotion = decision.after.promotion
    say(
        f"in production: promotion {promotion.number} of {promotion.model}, "
        f"package {promotion.sha256[:12]}"
    )
    say("writing the report ...")
    say(f"report: {write_report(workspace, workspace.settings.state / 'report.html')}")
    package = workspace.champion_package()
    if isinstance(package, ModelPackage):
        say("try it:")
        say("  " + curl_command(server.url, package))


def curl_command(url: str, package: ModelPackage) -> str:
    """Return the command that asks the service for a prediction."""
    row = json.dumps(example_row(package.manifest))
    return f"curl -s {url}/predict -H 'Content-Type: application/json' -d '{row}'"


def _serve_until_interrupted(server: Service) -> None:
    say(f"serving at {server.url} (API: {server.url}/openapi.json); Ctrl-C stops")
    try:
        server.wait()
    except KeyboardInterrupt:
        say("stopped")
        return
    raise PromoteError("the server ended by itself", hint="see server.log in the state folder")


def _interrupt_on_sigterm() -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
