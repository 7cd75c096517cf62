"""A trial's command as Katib's webhook has it run, so that a local trial ends as one on a cluster.

On a cluster every command runs in a shell; here only one that the shell would read otherwise than
it is written. The redirection that Katib appends leads to the engine's pipe. What other commands of
the script print goes into a file, which is added to the trial's log and not searched for metrics.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from katib.shell.parser import parse_script
from katib.shell.tree import ShellSyntaxError, Simple
from katib.worker_command import MARKER, SHELLS, wrap_command

OTHER_OUTPUT = "other-output.log"
# $1 is the file for what Katib does not collect; `exec` keeps the process id for the marker.
KEEP_APART = 'exec 3>&1 >"$1" 2>&1; exec "$2" -c "$3"'


def needs_shell(words: Sequence[str]) -> bool:
    """Whether a shell makes something else of the joined words than they say."""
    if words[0] in SHELLS and words[1:2] == ["-c"]:
        return True
    joined = " ".join([shlex.quote(words[0]), *words[1:]])
    try:
        script = parse_script(joined)
    except ShellSyntaxError:
        return True
    commands = [command for chain in script.chains for line in chain.pipelines for command in line]
    if len(commands) != 1 or not isinstance(commands[0], Simple) or commands[0].redirections:
        return True
    passed = [word.value for word in commands[0].words[1:] if word.plain]
    return passed != list(words[1:]) or script.chains[0].background


def shell_words(words: Sequence[str], folder: Path, *, collects_stdout: bool) -> tuple[str, ...]:
    """Return the program and arguments that run a wrapped command.

    Args:
        words: the trial's own program and arguments.
        folder: where the marker and the other output are written.
        collects_stdout: whether metrics are read from the output.
    """
    own = list(words)
    if own[0] not in SHELLS:
        own[0] = shlex.quote(own[0])  # it may be a path of this machine
    place = shlex.quote(str(folder))
    if not collects_stdout:
        command = wrap_command(own, output="", folder=place)
        return (command.shell, "-c", command.text)
    command = wrap_command(own, output="&3", folder=place)
    file = str(folder / OTHER_OUTPUT)
    return ("sh", "-c", KEEP_APART, "sh", file, command.shell, command.text)


def has_marker(folder: Path, process: int) -> bool:
    """Whether the shell has written that its command completed."""
    try:
        return (folder / f"{process}.pid").read_text().strip() == MARKER
    except (OSError, ValueError):
        return False
