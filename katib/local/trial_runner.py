"""One trial from its command to its end, judged as Katib judges it."""

import asyncio
import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from katib.early_stopping import StopRule
from katib.errors import EngineError
from katib.local.job_template import SCRATCH, Launch
from katib.local.launcher import LINE_LIMIT, Child, Exit, Launcher
from katib.metrics_collector import BadMetricsFile, MetricsReader, number
from katib.trial import Trial

LOG_LIMIT = 16 << 20  # bytes of output kept of one trial; all of it is read for metrics
TAIL_LINES = 20
TAIL_WIDTH = 500
SERIES_LIMIT = 1000
LOCAL_GRACE = 5.0  # seconds; on one machine nobody waits half a minute for Ctrl-C
DRAIN = 5.0  # seconds for the rest of the output after the process has ended


@dataclass(slots=True)
class Attempt:
    """What one start of the command has shown so far."""

    reader: MetricsReader
    rule: StopRule
    log: BinaryIO
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    series: list[float] = field(default_factory=list)
    stopped: bool = False
    broken: str = ""
    written: int = 0

    def take(self, line: str) -> None:
        """Read a line for metrics.

        A File collector's JSON that is not JSON breaks the attempt, as it stops Katib's collector.
        """
        try:
            reports = self.reader.feed(line)
        except BadMetricsFile as error:
            self.broken = self.broken or str(error)
            return
        for report in reports:
            value = number(report.value)
            if (
                report.metric == self.reader.metrics[0]
                and value is not None
                and len(self.series) < SERIES_LIMIT
            ):
                self.series.append(value)
                self.stopped = self.stopped or self.rule.is_hopeless(self.series)

    def keep(self, line: str) -> None:
        """Keep a line for people, up to the log's limit."""
        self.tail.append(line[:TAIL_WIDTH])
        if self.written < LOG_LIMIT:
            content = f"{line}\n".encode()
            self.written += len(content)
            self.log.write(content)


@dataclass(frozen=True, slots=True)
class Course:
    """All that a trial's run needs, so that `run_trial` reads from the top."""

    launcher: Launcher
    launch: Launch
    folder: Path
    make_reader: Callable[[], MetricsReader]
    rule: StopRule


async def run_trial(trial: Trial, course: Course) -> Trial:
    """Run a trial's command, as often as its Job allows; return the trial with its end, but without times.

    Raises:
        EngineError: when the engine itself cannot go on (not: when the trial fails).
    """
    cpu = 0.0
    outcome = Exit(1, 0.0)
    attempt = None
    try:
        async with asyncio.timeout(course.launch.deadline):
            for _ in range(course.launch.attempts):
                attempt = _attempt(course)
                with attempt.log:
                    outcome = await _run_once(attempt, course)
                cpu += outcome.cpu
                if outcome.code == 0 or attempt.stopped:
                    break
    except TimeoutError:
        ended = replace(trial, state="Failed", reason="TrialFailed. Job reason: DeadlineExceeded")
        message = "Trial has failed. Job message: Job was active longer than specified deadline"
        return replace(ended, message=message, tail=tuple(attempt.tail) if attempt else (), cpu=cpu)
    assert attempt is not None  # noqa: S101 - attempts >= 1
    return replace(_judge(trial, attempt, outcome), tail=tuple(attempt.tail), cpu=cpu)


def _attempt(course: Course) -> Attempt:
    log = course.folder / "output.log"
    try:
        course.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(course.folder / SCRATCH, ignore_errors=True)
        for folder in course.launch.folders:
            if not folder.exists():  # it may be a file
                folder.mkdir(parents=True)
        if course.launch.metrics_file:
            course.launch.metrics_file.parent.mkdir(parents=True, exist_ok=True)
            course.launch.metrics_file.unlink(missing_ok=True)
        # A metrics file is read at the end, when there is nothing left to stop.
        if course.launch.metrics_file:
            rule = replace(course.rule, limit=None)
        else:
            rule = course.rule
        # Unbuffered, so that people can follow it; opened once, for a trial may print a million lines.
        return Attempt(course.make_reader(), rule, log.open("wb", buffering=0))
    except OSError as error:
        raise _full(log, error) from error


async def _run_once(attempt: Attempt, course: Course) -> Exit:
    launch = course.launch
    cwd = launch.cwd if launch.cwd and launch.cwd.is_dir() else None
    child = await course.launcher.start(launch.argv, launch.env, cwd)
    follow = asyncio.create_task(_follow(child, attempt, course))
    try:
        either: list[asyncio.Future[Any]] = [child.ended, follow]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if follow.done():
            follow.result()  # nobody reads on after an error, and the trial would wait for that for ever
        outcome = await asyncio.shield(child.ended)
        await asyncio.wait(
            [follow], timeout=DRAIN
        )  # a grandchild that left the group may hold the pipe
    finally:
        if not child.ended.done():
            await child.end(min(launch.grace, LOCAL_GRACE))
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
        child.pipe.close()
    if not follow.cancelled() and (error := follow.exception()):
        raise error
    if launch.metrics_file and not attempt.stopped:
        _read_file(launch.metrics_file, attempt)
    return outcome


async def _follow(child: Child, attempt: Attempt, course: Course) -> None:
    async for line in child.lines():
        try:
            attempt.keep(line)
        except OSError as error:
            raise _full(Path(attempt.log.name), error) from error
        if not course.launch.metrics_file:
            attempt.take(line)
        if attempt.stopped:
            await child.end(min(course.launch.grace, LOCAL_GRACE))
            return


def _read_file(path: Path, attempt: Attempt) -> None:
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_LIMIT):
                attempt.take(line.decode(errors="replace").rstrip("\r\n"))
    except OSError as error:
        attempt.tail.append(f"(no metrics file: {path}: {error.strerror})")


def _judge(trial: Trial, attempt: Attempt, outcome: Exit) -> Trial:
    observation = tuple(attempt.reader.observation())
    series = tuple(attempt.series)
    objective_seen = attempt.reader.objective_seen
    if attempt.stopped:
        return replace(
            trial,
            state="EarlyStopped",
            reason="TrialEarlyStopped",
            message="Trial is early stopped",
            observation=observation,
            series=series,
        )
    if outcome.code != 0 or attempt.broken:
        why = attempt.broken or _in_words(outcome.code)
        message = f"Trial has failed. Job message: {why}"
        return replace(
            trial,
            state="Failed",
            reason="TrialFailed. Job reason: BackoffLimitExceeded",
            message=message,
        )
    finished = "Job message: Reached expected number of succeeded pods"
    state, words = (
        ("Succeeded", "Trial has succeeded")
        if objective_seen
        else ("MetricsUnavailable", "Metrics are not available")
    )
    reason = (
        "TrialSucceeded" if objective_seen else "MetricsUnavailable"
    ) + ". Job reason: CompletionsReached"
    return replace(
        trial,
        state=state,
        reason=reason,
        message=f"{words}. {finished}",
        observation=observation,
        series=series,
    )


def _in_words(code: int) -> str:
    if code < 0:
        return f"killed by signal {-code}"
    return f"exit code {code}"


def _full(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"{path}: {error.strerror}", hint="free some space, then go on with --resume"
    )
