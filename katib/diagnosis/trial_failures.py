"""Why trials of a local run have no result, grouped by cause, the most frequent cause first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katib.diagnosis.missing_metric import why_no_metric
from katib.diagnosis.pod_causes import OUT_OF_MEMORY, KnownMessage, find_known
from katib.reports import FILE as REPORTS
from katib.reports import read_reports
from katib.trial import Trial

ExperimentSpec = Mapping[str, Any]  # or a part of it
LOOKED_AT = 1 << 18  # bytes at the end of an output
WIDTH = 160  # characters of a trial's last line
USE_LESS_MEMORY = "run fewer at once (`--cpus`, parallelTrialCount), or smaller ones"
EXIT = re.compile(r"exit code (\d+)")
SIGNAL = re.compile(r"killed by signal (\d+)")
SHELL_SIGNALS = 128  # POSIX: a shell exits with this number plus the signal's
SIGNALS = {
    9: ("killed, as when memory runs out", USE_LESS_MEMORY),
    11: (
        "crashed in native code",
        "see which library: `python -X faulthandler` in the command shows where",
    ),
    15: ("ended by another process", "`tunegate tune --resume`, or a new run"),
}
OUTPUTS = (
    KnownMessage(r"No space left on device|Disk quota exceeded", "disk full", "free some space"),
    KnownMessage(r"MemoryError|Cannot allocate memory|bad_alloc", OUT_OF_MEMORY, USE_LESS_MEMORY),
    KnownMessage(
        r"No module named",
        "a module is missing",
        "install it for the trials' Python, or name another one: `--image IMAGE=PYTHON`",
    ),
    KnownMessage(
        r": command not found",
        "a command is missing",
        "install it, or write its whole path into the command",
    ),
    KnownMessage(
        r"unrecognized arguments|the following arguments are required|invalid choice",
        "wrong arguments",
        "fix the command in the template",
    ),
    KnownMessage(
        r"FileNotFoundError|No such file or directory",
        "a file is missing",
        "name the volume's folder on this machine: `--mount CLAIM=FOLDER`",
    ),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One cause, and the trials that have no result because of it.

    Attributes:
        cause: what it is, in a few words.
        evidence: what was seen of the first trial, in whose words.
        fix: the command, or the change, that fixes it.
        trials: names of the trials.
    """

    cause: str
    evidence: str
    fix: str
    trials: tuple[str, ...]


def group_failures(trials: Iterable[Trial], spec: ExperimentSpec, folder: Path) -> list[Failure]:
    """Group a run's trials that have ended without a result.

    Args:
        trials: only these.
        spec: the Experiment's.
        folder: the run's.
    """
    groups: dict[tuple[str, str], list[Failure]] = {}
    for trial in trials:
        failure = _explain_failure(trial, spec, folder / "trials" / trial.name)
        key = (failure.cause, _without_numbers(failure.evidence, trial.name))
        groups.setdefault(key, []).append(failure)
    found = []
    for members in groups.values():
        names = tuple(name for failure in members for name in failure.trials)
        found.append(Failure(members[0].cause, members[0].evidence, members[0].fix, names))
    return sorted(found, key=lambda failure: -len(failure.trials))


def _explain_failure(trial: Trial, spec: ExperimentSpec, folder: Path) -> Failure:
    if trial.state != "Failed":
        return _explain_missing_metric(trial, spec, folder)
    if "DeadlineExceeded" in trial.reason:
        seconds = spec["trialTemplate"]["trialSpec"]["spec"].get("activeDeadlineSeconds", "its")
        fix = "raise activeDeadlineSeconds in the template, or do less"
        return Failure("too slow", f"not done after {seconds} s", fix, (trial.name,))
    message = trial.message.removeprefix("Trial has failed. Job message: ")
    last = next((line.strip() for line in reversed(trial.tail) if line.strip()), "")
    evidence = f"{message}: {last[:WIDTH]}" if last else f"{message}, without output"
    cause = "the command fails" if EXIT.match(message) else "the metrics file is broken"
    fix = f"`less {folder / 'output.log'}`"
    signal = _signal_number(message)
    if known := find_known(OUTPUTS, "\n".join(trial.tail)):
        cause = known.cause
        fix = known.fix
    elif signal in SIGNALS:
        cause, fix = SIGNALS[signal]
    elif signal:
        evidence = message
    return Failure(cause, evidence, fix, (trial.name,))


def _signal_number(message: str) -> int:
    """Return the signal that ended a process, 0 if none did."""
    if found := SIGNAL.match(message):
        return int(found.group(1))
    if found := EXIT.match(message):
        return max(0, int(found.group(1)) - SHELL_SIGNALS)
    return 0


def _explain_missing_metric(trial: Trial, spec: ExperimentSpec, folder: Path) -> Failure:
    metric = spec["objective"]["objectiveMetricName"]
    collector = spec["metricsCollectorSpec"]
    if collector["collector"]["kind"] == "Push":
        return _explain_missing_push(trial, metric, folder)
    source = collector.get("source") or {}
    output = folder / "output.log"
    path = output
    file: ExperimentSpec = {}
    if collector["collector"]["kind"] == "File":
        file = source.get("fileSystemPath") or {}
    if file:
        path = folder / "metrics" / Path(file["path"]).name
    if file and not path.exists():
        evidence = f"it did not write {file['path']}"
        return Failure("no metrics file", evidence, f"`less {output}`", (trial.name,))
    filters = (source.get("filter") or {}).get("metricsFormat") or ()
    is_json = file.get("format") == "JSON"
    why = why_no_metric(_last_lines(path), metric, filters=filters, as_json=is_json)
    evidence = why or f"the last {LOOKED_AT >> 10} KiB of its output do not show why"
    if trial.state == "Succeeded":
        fix = f"let it fail instead of printing {metric}=nan"
        return Failure("not a number", evidence, fix, (trial.name,))
    fix = f"print `{metric}=<number>` on a line of its own, at the end"
    return Failure("no metric", evidence, fix, (trial.name,))


def _explain_missing_push(trial: Trial, metric: str, folder: Path) -> Failure:
    try:
        reports = read_reports(folder / REPORTS)
    except OSError:
        reports = []
    values = [report.value for report in reports if report.metric == metric]
    if values:
        evidence = f"it pushed {metric}={values[-1]}"
        return Failure("not a number", evidence, "let it fail instead", (trial.name,))
    names = sorted({report.metric for report in reports})
    evidence = f"it pushed only {', '.join(names)}" if names else "it pushed nothing"
    fix = f'call `katib.report_metrics({{"{metric}": <number>}})` in it'
    return Failure("no metric", evidence, fix, (trial.name,))


def _last_lines(path: Path) -> Sequence[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOOKED_AT))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()


def _without_numbers(evidence: str, name: str) -> str:
    """Return the same text for evidence that differs only in numbers and in the trial's name."""
    return re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "#", evidence.replace(name, "TRIAL"))
