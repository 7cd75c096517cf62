"""`tunegate run`: tune, gate, promote, smoke-test and serve; the server runs throughout."""

import json
import shlex
import signal
import time
from dataclasses import dataclass
from types import FrameType

from api.routes.row_schema import example_row
from promote import PromoteError
from promote.errors import NoCandidate
from promote.finalists import Contender
from registry.metric_names import readable_number
from registry.package import ModelPackage
from tunegate.console import say, show_verdict
from tunegate.local_server import Service, running_service
from tunegate.output import elapsed_text
from tunegate.promotion.candidates import ranked_trials
from tunegate.promotion.decision import Decision
from tunegate.report.page import write_report
from tunegate.search.local import interrupted_run
from tunegate.study.checked_plan import PlannedSearch
from tunegate.study.study import Study, run_search
from tunegate.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How to run.

    Attributes:
        serve: keep serving after the end.
    """

    serve: bool = True


def run_pipeline(plan: PlannedSearch, options: PipelineOptions) -> Decision:
    """Run the whole pipeline; returns after the decision or, if it serves, after Ctrl-C.

    Raises:
        UsageError, EngineError, NoCandidate, SmokeFailed, ...: as the steps do.
    """
    _interrupt_on_sigterm()
    began = time.monotonic()
    if not plan.program.writes_package:
        raise _without_packages(_run_new_or_resume(plan))
    workspace = plan.workspace
    with running_service(workspace) as server:
        # First settle what a crashed run left in flight: trial 0 repeats the champion's recipe.
        for sentence in workspace.promoter(url=server.url).repair(workspace.model):
            say(sentence)
        study = _run_new_or_resume(plan)
        _mention_champions_recipe(study)
        decision = study.promote(url=server.url)
        show_verdict(decision.verdict)
        _show_result(study.workspace, decision, server)
        say(f"took {elapsed_text(time.monotonic() - began)} in all")
        if options.serve and server.process:
            _serve_until_interrupted(server)
    return decision


def _run_new_or_resume(plan: PlannedSearch) -> Study:
    if not plan.resume:
        left = interrupted_run(plan.workspace, plan.experiment)
        if left:
            say(f"note: {left} was interrupted; --resume would resume it, this is a new run")
    study = run_search(plan)
    if not study.succeeded:
        raise NoCandidate(
            f"{plan.experiment.name}: {study.message}",
            hint=f"the trials' output is in {study.folder / 'trials'}",
        )
    return study


def _without_packages(study: Study) -> NoCandidate:
    best = study.best
    metric = study.experiment.metric
    return NoCandidate(
        f"the search has ended, best trial {best.name}, {metric} {readable_number(best.value)}; "
        "its trials write no model packages, so there is nothing to judge or to serve",
        hint="`tunegate report` shows the search; docs/python.md says what makes a package",
    )


def _mention_champions_recipe(study: Study) -> None:
    best = ranked_trials(study.workspace, study.folder)[0]
    first = study.contenders()[0]
    if isinstance(first, Contender) and first.manifest.provenance.trial != best.trial:
        say(
            f"best trial: {best.trial}, {study.experiment.metric} {readable_number(best.value)}: "
            "the champion's own recipe"
        )


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
    if isinstance(package, ModelPackage) and not package.outside:
        say("try it:")
        say("  " + curl_command(server.url, package))


def curl_command(url: str, package: ModelPackage) -> str:
    """Return the command that asks the service for a prediction."""
    row = json.dumps(example_row(package.manifest))
    return f"curl -s {url}/predict -H 'Content-Type: application/json' -d {shlex.quote(row)}"


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
