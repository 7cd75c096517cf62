"""Why trials of a local run have no result: those with the same cause together, the most frequent cause first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katib.diagnosis.missing_metric import why_no_metric
from katib.trial import Trial

LOOKED_AT = 1 << 18  # bytes at the end of an output
WIDTH = 160
OUT_OF_MEMORY = "run fewer at once (`--cpus`, parallelTrialCount), or smaller ones"
EXIT = re.compile(r"exit code (\d+)")
SIGNAL = re.compile(r"killed by signal (\d+)")
SIGNALS = {
    9: ("killed, as when memory runs out", OUT_OF_MEMORY),
    11: (
        "crashed in native code",
        "see which library: `python -X faulthandler` in the command shows where",
    ),
    15: ("ended by somebody else", "`tunegate tune --resume`, or a new run"),
}
KNOWN = (  # words of the output, what it is, what mends it
    (r"No space left on device|Disk quota exceeded", "disk full", "free some space"),
    (r"MemoryError|Cannot allocate memory|bad_alloc", "out of memory", OUT_OF_MEMORY),
    (
        r"No module named",
        "a module is missing",
        "install it for the trials' Python, or name another one: `--image IMAGE=PYTHON`",
    ),
    (
        r": command not found",
        "a command is missing",
        "install it, or write its whole path into the command",
    ),
    (
        r"unrecognized arguments|the following arguments are required|invalid choice",
        "wrong arguments",
        "mend the command in the template",
    ),
    (
        r"FileNotFoundError|No such file or directory",
        "a file is missing",
        "say where the volume lies here: `--mount CLAIM=FOLDER`",
    ),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Trials without a result for one and the same cause."""

    cause: str
    seen: str
    mend: str
    trials: tuple[str, ...]


def failures(trials: Iterable[Trial], spec: Mapping[str, Any], folder: Path) -> list[Failure]:
    """Group a run's trials that have ended without a result.

    Args:
        trials: those; others must not be among them.
        spec: the Experiment's.
        folder: the run's.
    """
    groups: dict[tuple[str, str], list[tuple[Trial, str, str]]] = {}
    for trial in trials:
        cause, seen, mend = _cause(trial, spec, folder / "trials" / trial.name)
        groups.setdefault((cause, _alike(seen, trial.name)), []).append((trial, seen, mend))
    found = [
        Failure(cause, members[0][1], members[0][2], tuple(trial.name for trial, _, _ in members))
        for (cause, _), members in groups.items()
    ]
    return sorted(found, key=lambda failure: -len(failure.trials))


def _cause(trial: Trial, spec: Mapping[str, Any], folder: Path) -> tuple[str, str, str]:
    """Return what happened to a trial, in whose words, and what mends it."""
    if trial.state != "Failed":
        return _without_metric(trial, spec, folder)
    if "DeadlineExceeded" in trial.reason:
        seconds = spec["trialTemplate"]["trialSpec"]["spec"].get("activeDeadlineSeconds", "its")
        return (
            "too slow",
            f"not done after {seconds} s",
            "raise activeDeadlineSeconds in the template, or do less",
        )
    message = trial.message.removeprefix("Trial has failed. Job message: ")
    last = next((line.strip() for line in reversed(trial.tail) if line.strip()), "")
    if last:
        seen = f"{message}: {last[:WIDTH]}"
    else:
        seen = f"{message}, without a word"
    text = "\n".join(trial.tail)
    known = next(((cause, mend) for words, cause, mend in KNOWN if re.search(words, text)), None)
    if known is None and (number := _signal(message)):
        known = SIGNALS.get(number)
        seen = message if number not in SIGNALS else seen
    cause, mend = known or (
        "the command fails" if EXIT.match(message) else "the metrics file is broken",
        "",
    )
    return cause, seen, mend or f"`less {folder / 'output.log'}`"


def _signal(message: str) -> int:
    """Return the signal that ended a process; a shell says it as 128 and more."""
    if found := SIGNAL.match(message):
        return int(found.group(1))
    code = int(found.group(1)) if (found := EXIT.match(message)) else 0
    return code - 128 if code > 128 else 0  # noqa: PLR2004 - POSIX


def _without_metric(trial: Trial, spec: Mapping[str, Any], folder: Path) -> tuple[str, str, str]:
    metric = spec["objective"]["objectiveMetricName"]
    collector = spec["metricsCollectorSpec"]
    source = collector.get("source") or {}
    path = folder / "output.log"
    if collector["collector"]["kind"] == "File":
        file = source.get("fileSystemPath") or {}
    else:
        file = {}
    if file:
        path = folder / "metrics" / Path(file["path"]).name
    if file and not path.exists():
        return (
            "no metrics file",
            f"it did not write {file['path']}",
            f"`less {folder / 'output.log'}`",
        )
    filters = (source.get("filter") or {}).get("metricsFormat") or ()
    why = why_no_metric(_lines(path), metric, filters=filters, as_json=file.get("format") == "JSON")
    cause = "not a number" if trial.state == "Succeeded" else "no metric"
    if trial.state == "Succeeded":
        mend = f"let it fail instead of printing {metric}=nan"
    else:
        mend = ""
    mend = mend or f"print `{metric}=<number>` on a line of its own, at the end"
    return cause, why or f"the last {LOOKED_AT >> 10} KiB of its output do not show why", mend


def _lines(path: Path) -> Sequence[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOOKED_AT))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()


def _alike(seen: str, name: str) -> str:
    """Return the same text for what differs only in numbers and in the trial's name."""
    return re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "#", seen.replace(name, "TRIAL"))
