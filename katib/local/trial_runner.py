"""One trial from its command to its end, judged as Katib judges it."""

import asyncio
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from katib.early_stopping import StopRule
from katib.errors import EngineError
from katib.local.job_template import SCRATCH, Launch
from katib.local.launcher import LINE_LIMIT, Child, Exit, Launcher
from katib.local.shell_wrapping import OTHER_OUTPUT, has_marker, shell_words
from katib.metrics_collector import BadMetricsFile, MetricsReader, Report, number
from katib.reports import FILE as REPORTS
from katib.reports import LoggedReport, read_reports, to_logged, to_report
from katib.trial import Trial

LOG_LIMIT = 16 << 20  # bytes of output kept of one trial; all of it is read for metrics
MARKS = "marks"  # in the trial's folder: what a wrapped command leaves there
TAIL_LINES = 20
TAIL_WIDTH = 500
SERIES_LIMIT = 1000
LOCAL_GRACE = 5.0  # seconds; on one machine nobody waits half a minute after Ctrl-C
DRAIN = 5.0  # seconds for the rest of the output after the process has ended


class TrialEnd(NamedTuple):
    """A trial's last condition, in Katib's words."""

    state: str
    reason: str
    message: str


EARLY_STOPPED = TrialEnd("EarlyStopped", "TrialEarlyStopped", "Trial is early stopped")
FAILED = TrialEnd("Failed", "TrialFailed. Job reason: BackoffLimitExceeded", "Trial has failed")
SUCCEEDED = TrialEnd(
    "Succeeded",
    "TrialSucceeded. Job reason: CompletionsReached",
    "Trial has succeeded. Job message: Reached expected number of succeeded pods",
)
UNAVAILABLE = TrialEnd(
    "MetricsUnavailable",
    "MetricsUnavailable. Job reason: CompletionsReached",
    "Metrics are not available. Job message: Reached expected number of succeeded pods",
)
TOO_LATE = TrialEnd(
    "Failed",
    "TrialFailed. Job reason: DeadlineExceeded",
    "Trial has failed. Job message: Job was active longer than specified deadline",
)


@dataclass(slots=True)
class Attempt:
    """One start of the command, and its output so far."""

    reader: MetricsReader
    rule: StopRule
    log: BinaryIO
    logged: BinaryIO
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    series: list[float] = field(default_factory=list)
    stopped: bool = False
    broken: str = ""
    written: int = 0
    logged_size: int = 0

    def take(self, line: str) -> None:
        """Read a line for metrics.

        A line of a JSON metrics file that is not JSON breaks the attempt, as it stops Katib's
        collector.
        """
        try:
            reports = self.reader.feed(line)
        except BadMetricsFile as error:
            self.broken = self.broken or str(error)
            return
        for report in reports:
            self._keep_report(report)
            self._extend_series(report)

    def take_pushed(self, reports: Iterable[LoggedReport]) -> None:
        """Read what the trial has sent itself, and what is kept already."""
        for logged in reports:
            report = to_report(logged)
            self.reader.add(report)
            self._extend_series(report)

    def keep(self, line: str) -> None:
        """Keep a line for people, up to the log's limit."""
        self.tail.append(line[:TAIL_WIDTH])
        if self.written < LOG_LIMIT:
            content = f"{line}\n".encode()
            self.written += len(content)
            self.log.write(content)

    def _keep_report(self, report: Report) -> None:
        """Keep a report for Katib's clients, up to the log's limit."""
        if self.logged_size < LOG_LIMIT:
            line = to_logged(report).to_line()
            self.logged_size += len(line)
            self.logged.write(line)

    def _extend_series(self, report: Report) -> None:
        value = number(report.value)
        if report.metric != self.reader.metrics[0] or value is None:
            return
        if len(self.series) < SERIES_LIMIT:
            self.series.append(value)
            self.stopped = self.stopped or self.rule.is_hopeless(self.series)


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """How to run a trial.

    Attributes:
        launcher: starts its processes.
        launch: its command, environment and limits.
        folder: the trial's own folder; its log is written there.
        make_reader: makes a new reader of metrics for each attempt.
        rule: when to stop it early.
    """

    launcher: Launcher
    launch: Launch
    folder: Path
    make_reader: Callable[[], MetricsReader]
    rule: StopRule


async def run_trial(trial: Trial, plan: TrialPlan) -> Trial:
    """Run a trial's command, as often as its Job allows; return the ended trial without times.

    Raises:
        EngineError: when the engine itself cannot continue (not when the trial fails).
    """
    cpu = 0.0
    outcome = Exit(1, 0.0)
    attempt = None
    try:
        async with asyncio.timeout(plan.launch.deadline):
            for _ in range(plan.launch.attempts):
                attempt = _new_attempt(plan)
                with attempt.log, attempt.logged:
                    outcome = await _run_once(attempt, plan)
                cpu += outcome.cpu
                if outcome.code == 0 or attempt.stopped:
                    break
    except TimeoutError:
        tail = tuple(attempt.tail) if attempt else ()
        return replace(_with_end(trial, TOO_LATE), tail=tail, cpu=cpu)
    assert attempt is not None  # noqa: S101 - attempts >= 1
    return replace(_judge_attempt(trial, attempt, outcome), tail=tuple(attempt.tail), cpu=cpu)


def _new_attempt(plan: TrialPlan) -> Attempt:
    log = plan.folder / "output.log"
    metrics_file = plan.launch.metrics_file
    rule = plan.rule
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        for folder in (plan.folder / SCRATCH, plan.folder / MARKS):
            shutil.rmtree(folder, ignore_errors=True)
        (plan.folder / MARKS).mkdir()
        for folder in plan.launch.folders:
            if not folder.exists():  # it may be a file
                folder.mkdir(parents=True)
        if metrics_file:
            metrics_file.parent.mkdir(parents=True, exist_ok=True)
            metrics_file.unlink(missing_ok=True)
        if metrics_file or plan.launch.pushes:
            rule = replace(rule, limit=None)  # read at the end, when nothing is left to stop
        # Unbuffered, so that people can follow it; opened once, since a trial may print a million
        # lines.
        logged = (plan.folder / REPORTS).open("wb")
        return Attempt(plan.make_reader(), rule, log.open("wb", buffering=0), logged)
    except OSError as error:
        raise _disk_error(log, error) from error


async def _run_once(attempt: Attempt, plan: TrialPlan) -> Exit:
    launch = plan.launch
    cwd = launch.cwd if launch.cwd and launch.cwd.is_dir() else None
    argv = launch.argv
    marks = plan.folder / MARKS
    if launch.needs_shell:
        argv = shell_words(argv, marks, collects_stdout=launch.metrics_file is None)
    child = await plan.launcher.start(argv, launch.env, cwd)
    follow = asyncio.create_task(_follow_output(child, attempt, plan))
    try:
        either: list[asyncio.Future[Any]] = [child.ended, follow]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if follow.done():
            follow.result()  # after an error nobody reads on, and the trial would wait for ever
        outcome = await asyncio.shield(child.ended)
        # Not without a limit: a grandchild that has left the group may hold the pipe open.
        await asyncio.wait([follow], timeout=DRAIN)
    finally:
        if not child.ended.done():
            await child.end(min(launch.grace, LOCAL_GRACE))
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
        child.pipe.close()
    if not follow.cancelled() and (error := follow.exception()):
        raise error
    if launch.needs_shell:
        _keep_other_output(marks / OTHER_OUTPUT, attempt)
        if outcome.code == 0 and not has_marker(marks, child.started.result()):
            attempt.broken = "the shell ended before it wrote the marker that Katib waits for"
    if launch.metrics_file and not attempt.stopped:
        _read_metrics_file(launch.metrics_file, attempt)
    if launch.pushes:
        attempt.take_pushed(read_reports(plan.folder / REPORTS))
    return outcome


def _keep_other_output(path: Path, attempt: Attempt) -> None:
    """Show people what Katib does not search for metrics, after what it does."""
    try:
        with path.open("rb") as file:
            content = file.read(LOG_LIMIT)
        for line in content.decode(errors="replace").splitlines():
            attempt.keep(line)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _disk_error(path, error) from error


async def _follow_output(child: Child, attempt: Attempt, plan: TrialPlan) -> None:
    async for line in child.lines():
        try:
            attempt.keep(line)
        except OSError as error:
            raise _disk_error(Path(attempt.log.name), error) from error
        if not plan.launch.metrics_file and not plan.launch.pushes:
            attempt.take(line)
        if attempt.stopped:
            await child.end(min(plan.launch.grace, LOCAL_GRACE))
            return


def _read_metrics_file(path: Path, attempt: Attempt) -> None:
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_LIMIT):
                attempt.take(line.decode(errors="replace").rstrip("\n"))
    except OSError as error:
        attempt.tail.append(f"(no metrics file: {path}: {error.strerror})")


def _judge_attempt(trial: Trial, attempt: Attempt, outcome: Exit) -> Trial:
    if attempt.stopped:
        end = EARLY_STOPPED
    elif outcome.code != 0 or attempt.broken:
        why = attempt.broken or _exit_in_words(outcome.code)
        return _with_end(trial, FAILED._replace(message=f"Trial has failed. Job message: {why}"))
    elif attempt.reader.objective_seen:
        end = SUCCEEDED
    else:
        end = UNAVAILABLE
    observation = tuple(attempt.reader.observation())
    return replace(_with_end(trial, end), observation=observation, series=tuple(attempt.series))


def _with_end(trial: Trial, end: TrialEnd) -> Trial:
    return replace(trial, state=end.state, reason=end.reason, message=end.message)


def _exit_in_words(code: int) -> str:
    if code < 0:
        return f"killed by signal {-code}"
    return f"exit code {code}"


def _disk_error(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"{path}: {error.strerror}", hint="free some space, then continue with --resume"
    )
