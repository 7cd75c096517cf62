"""What Katib's webhook makes of a trial's command.

Source: Katib v0.19, pkg/webhook/v1beta1/pod/utils.go, wrapWorkerContainer. For the collectors
StdOut, File and TensorFlowEvent it joins command and args with single spaces, without quoting, and
passes the text to `sh -c`. It appends a redirection (for StdOut) and the writing of a marker, which
the collector waits for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WRAPPING_COLLECTORS = ("StdOut", "File", "TensorFlowEvent")
SHELLS = ("sh", "bash")  # by exactly these names
STDOUT_FILE = "/var/log/katib/metrics.log"
MARKER = "completed"


class NoCommandToWrap(ValueError):
    """Katib's webhook fails on this command: a shell's name without anything behind it."""


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """A command as the container runs it.

    Attributes:
        shell: `sh` or `bash`.
        script: the trial's own part of what the shell runs.
        text: all of what the shell runs, as the kubelet leaves it: `$$` is the shell's process id.
        is_script: whether the trial's command was `sh -c` or `bash -c` itself.
    """

    shell: str
    script: str
    text: str
    is_script: bool


def wrap_command(words: Sequence[str], *, output: str, folder: str) -> WorkerCommand:
    """Return what the shell runs.

    Args:
        words: command and args.
        output: where stdout and stderr go, `/var/log/katib/metrics.log` for StdOut; empty for the
            collectors that read something else.
        folder: the folder of the metrics file, in which the marker is written.

    Raises:
        NoCommandToWrap: when the webhook fails on it.
    """
    shell = "sh"
    own = list(words)
    is_script = False
    if words[0] in SHELLS:
        if len(words) == 1:
            raise NoCommandToWrap(f"{words[0]} has no arguments")
        if words[1] == "-c":
            shell = words[0]
            own = own[2:]
            is_script = True
    redirection = [f"1>{output} 2>&1"] if output else []
    marking = f"echo {MARKER} > {folder}/$$.pid"
    text = " ".join([*own, *redirection, "&&", marking])
    return WorkerCommand(shell, " ".join(own), text, is_script)
