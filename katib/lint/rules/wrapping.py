"""Rules about the script that Katib makes of a trial's command.

The script is read as a shell reads it, with Katib's redirection and marker in it; what becomes of
these decides whether the trial's metrics are collected, and whether the trial ends.
Source: Katib v0.19, pkg/webhook/v1beta1/pod/utils.go, pkg/metricscollector/v1beta1/common/pns.go.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from katib.document import FieldPath
from katib.lint.violation import Edit, Violation
from katib.shell.parser import parse_script
from katib.shell.tree import (
    Chain,
    Command,
    Group,
    Redirection,
    Script,
    ShellSyntaxError,
    Simple,
    commands_of,
)
from katib.worker_command import MARKER, WorkerCommand

PARAMETER = "trialParameter0"  # stands for a placeholder while the script is read
# Programs that print nothing, or nothing that could be a metric.
SILENT = frozenset(
    """
    cd mkdir rm cp mv ln touch chmod chown export unset set shopt umask ulimit trap wait sleep kill
    true false : test [ [[ read source . alias eval local declare typeset readonly return exit shift
    hash sync mktemp install find tar unzip gunzip git wget curl pip pip3 uv conda mamba poetry apt
    apt-get apk yum dnf microdnf npm ls pwd date env printenv whoami id hostname uname df du free
    nvidia-smi ldconfig which type command pushd popd wc basename dirname seq dos2unix aws gsutil
    az kubectl mc
    """.split()  # noqa: SIM905 - a list of quoted words is hard to read
)
# Programs that pass on what they are given.
PRINTERS = frozenset({"echo", "printf", "cat", "grep", "sed", "awk", "head", "tail", "tee", "jq"})
# Programs that run another one.
PREFIXES = frozenset(
    {"env", "nice", "time", "nohup", "stdbuf", "timeout", "sudo", "exec", "ionice"}
)
BUILTIN_PREFIXES = frozenset({"builtin", "command"})  # run it in the same shell
TRAILING_BACKSLASH = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
INSTALLERS = (["-m", "pip"], ["-m", "ensurepip"], ["-m", "venv"])
TO_TERMINAL = ("/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1")
OUTPUT = frozenset({">", ">>", ">|", "&>", "&>>"})
POSITIONAL = ("$1", "$2", "$3", "$@", "$*", "${1", "${2", "${@", "${*")


class CommandPlace(NamedTuple):
    """Where a command stands in the document: its field, and its last word."""

    field: FieldPath
    last_word: FieldPath


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The parts of a wrapped script.

    Attributes:
        before: the chains and commands whose output Katib does not collect.
        collected: the pipeline that Katib's redirection belongs to, the last of them.
        script: the whole.
    """

    before: tuple[Command, ...]
    collected: tuple[Command, ...]
    script: Script


def check_wrapping(
    command: WorkerCommand, place: CommandPlace, *, output: str
) -> Iterator[Violation]:
    """Yield every violation in a wrapped command.

    Args:
        command: what `wrap_command` made, with `PARAMETER` for each placeholder.
        place: where it stands.
        output: the file that Katib redirects the output to; empty if it does not.
    """
    try:
        script = parse_script(command.text)
    except ShellSyntaxError as error:
        yield _unreadable(command, place, error)
        return
    wrapped = _find_parts(script)
    if wrapped is None:
        message = "the end of the script swallows what Katib appends: the trial never completes"
        fix = "end it with a command, not with a comment or a here-document"
        yield Violation("K263", place.last_word, message, fix)
        return
    if output and _is_empty(wrapped.collected):
        yield _nothing_collected(command, place)
        return
    if command.is_script and TRAILING_BACKSLASH.search(command.script):
        message = "the backslash at its end makes one more argument of what Katib appends"
        yield Violation("K263", place.last_word, message, "leave the backslash out")
        return
    yield from _check_shell_end(wrapped, place)
    if command.is_script and any(sign in command.script for sign in POSITIONAL):
        message = "$1, $@ stay empty: Katib joins the arguments to the script"
        yield Violation("K265", place.field, message, "write the values into the script")
    if output:
        yield from _check_collected(wrapped, place)


def _unreadable(command: WorkerCommand, place: CommandPlace, error: ShellSyntaxError) -> Violation:
    if _ends_with_line_break(command) and _is_complete(_without_line_break(command)):
        return _line_break(command, place, "and no shell reads a line that begins with &&")
    if not _is_readable(command.script):
        return Violation("K260", place.field, f"no shell can read what Katib makes of it: {error}")
    end = command.script.rstrip()[-1:]
    message = f"no shell can read it with ` && echo {MARKER} ...` behind it, which Katib appends"
    fix = f"leave the {end} at its end out" if end in ";&|" else ""
    return Violation("K260", place.field, message, fix)


def _ends_with_line_break(command: WorkerCommand) -> bool:
    return command.script.rstrip(" \t").endswith("\n")


def _without_line_break(command: WorkerCommand) -> str:
    return command.text.replace(command.script, command.script.rstrip(), 1)


def _is_complete(text: str) -> bool:
    """Whether a shell can read a wrapped script and runs something before it writes the marker."""
    try:
        wrapped = _find_parts(parse_script(text))
    except ShellSyntaxError:
        return False
    return wrapped is not None and not _is_empty(wrapped.collected)


def _is_readable(script: str) -> bool:
    try:
        parse_script(script)
    except ShellSyntaxError:
        return False
    return True


def _line_break(command: WorkerCommand, place: CommandPlace, consequence: str) -> Violation:
    message = f"the script ends with a line break, {consequence}"
    if _is_complete(_without_line_break(command)):
        edit = Edit(place.last_word, "", "strip")
        return Violation("K261", place.last_word, message, "write |- for |, or >- for >", edit)
    fix = "write { in front of the script, } behind it, and |- for |"
    return Violation("K261", place.last_word, message, fix)


def _nothing_collected(command: WorkerCommand, place: CommandPlace) -> Violation:
    if _ends_with_line_break(command):
        consequence = "so Katib's redirection stands on a line of its own: nothing is collected"
        return _line_break(command, place, consequence)
    end = command.script.rstrip()[-1:]
    if not end:
        return Violation("K264", place.field, "the script is empty: nothing is collected")
    message = f"it ends with {end!r}, so Katib's redirection stands alone: nothing is collected"
    return Violation("K264", place.field, message, f"leave the {end} out")


def _find_parts(script: Script) -> Wrapped | None:
    """Return the parts of a script whose last command is the marker; None if it is not."""
    if not script.chains:
        return None
    *earlier, last = script.chains
    if len(last.pipelines) < 2 or not _is_marker(last.pipelines[-1]):  # noqa: PLR2004 - one to collect, and the marker
        return None
    before = [command for chain in earlier for line in chain.pipelines for command in line]
    before += [command for line in last.pipelines[:-2] for command in line]
    return Wrapped(tuple(before), last.pipelines[-2], script)


def _is_marker(pipeline: Sequence[Command]) -> bool:
    command = pipeline[-1]
    if len(pipeline) != 1 or not isinstance(command, Simple):
        return False
    values = [word.value for word in command.words]
    return values == ["echo", MARKER] and len(command.redirections) == 1


def _is_empty(pipeline: Sequence[Command]) -> bool:
    return len(pipeline) == 1 and isinstance(pipeline[0], Simple) and not pipeline[0].words


def _check_shell_end(wrapped: Wrapped, place: CommandPlace) -> Iterator[Violation]:
    """Check that the shell lives until it writes the marker."""
    for name in _shell_ends(wrapped.script.chains):
        if name == "exec":
            message = "exec replaces the shell, which then cannot write the marker: the trial fails"
            yield Violation("K262", place.field, message, "leave exec out")
        else:
            message = "exit ends the shell before it writes the marker: the trial fails"
            yield Violation("K262", place.field, message, "let the last command's status decide")
        return


def _shell_ends(chains: Iterable[Chain], *, conditional: bool = False) -> Iterator[str]:
    """Yield exec, or an exit that is sure to be reached, of the script's own shell."""
    for chain in chains:
        for index, pipeline in enumerate(chain.pipelines):
            if chain.background or len(pipeline) > 1:  # each runs in a shell of its own
                continue
            command = pipeline[0]
            if isinstance(command, Simple):
                values = [word.value for word in command.words]
                while values and (_is_assignment(values[0]) or values[0] in BUILTIN_PREFIXES):
                    values = values[1:]
                if values[:1] == ["exec"] and len(values) > 1:
                    yield "exec"
                if index == 0 and not conditional and _is_good_exit(values):
                    yield "exit"
            elif command.kind not in {"(", "function"}:
                for part in command.parts:
                    inside = conditional or command.kind != "{"
                    yield from _shell_ends(part.chains, conditional=inside)


def _is_good_exit(values: Sequence[str]) -> bool:
    """Whether it is an exit that may mean success."""
    return values[:1] == ["exit"] and (len(values) == 1 or values[1][:1] in "0$")


def _check_collected(wrapped: Wrapped, place: CommandPlace) -> Iterator[Violation]:
    """Check that the command which prints the metrics is the one whose output is collected."""
    last = wrapped.collected[-1]
    lost = [*wrapped.before, *wrapped.collected[:-1]]
    if command := _lost_command(lost, last):
        violation = _lost_output(command, wrapped, place)
        if violation:
            yield violation
        return
    if isinstance(last, Simple) and _redirects_output(last.redirections[:-2]):
        message = "Katib's redirection comes later, and wins: that file stays empty"
        yield Violation("K245", place.field, message, "print, or use the collector File")
    elif isinstance(last, Group) and _written_elsewhere(last):
        yield _elsewhere(place)


def _lost_command(lost: Sequence[Command], last: Command) -> Command | None:
    """Return the command whose output is lost though it is likely to print the metrics."""
    last_prints = _may_print(last) or _is_printer(last)
    any_uses_parameters = PARAMETER in _text_of([*lost, last])
    for command in lost:
        if _is_printer(command) and not last_prints:
            return command
        if _may_print(command):
            uses_parameters = PARAMETER in _text_of([command])
            if uses_parameters or not any_uses_parameters or not last_prints:
                return command
    return None


def _lost_output(command: Command, wrapped: Wrapped, place: CommandPlace) -> Violation | None:
    if _written_elsewhere(command):
        return None if _is_printer(wrapped.collected[-1]) else _elsewhere(place)
    if any(command is each for each in wrapped.collected):
        if _has_pipefail(wrapped.script):
            return None
        message = "a pipe's status is its last command's: a trial that fails counts as succeeded"
        return Violation("K241", place.field, message, "write set -o pipefail, or no pipe")
    message = "only the last command's output is collected"
    fix = "let one program print the metrics last, or write { ...; } around all"
    return Violation("K241", place.field, message, fix)


def _elsewhere(place: CommandPlace) -> Violation:
    message = "the output goes to a file of its own, not to Katib's"
    return Violation("K245", place.field, message, "print, or use the collector File")


def _written_elsewhere(command: Command) -> bool:
    """Whether a command that may print writes into a file."""
    inner: list[Command] = [command]
    if isinstance(command, Group):
        inner = [each for part in command.parts for each in commands_of(part)]
    return any(_may_print(each) and _redirects_output(each.redirections) for each in inner)


def _redirects_output(redirections: Iterable[Redirection]) -> bool:
    return any(
        each.operator in OUTPUT
        and each.descriptor in {-1, 1}
        and each.target.value not in TO_TERMINAL
        for each in redirections
    )


def _may_print(command: Command) -> bool:
    """Whether a command may print metrics, as far as its name tells."""
    if isinstance(command, Group):
        if command.kind in {"function", "[[", "(("}:
            return False
        return any(_may_print(each) for part in command.parts for each in commands_of(part))
    words = [word.value for word in command.words]
    while words and (_is_assignment(words[0]) or _program(words[0]) in PREFIXES):
        words = words[1:]
        while words and (words[0].startswith("-") or words[0][:1].isdigit()):
            words = words[1:]
    if not words or _program(words[0]) in SILENT | PRINTERS or words[1:3] in INSTALLERS:
        return False
    return words[1:] not in (["--version"], ["-V"], ["--help"])


def _is_printer(command: Command) -> bool:
    if isinstance(command, Group):
        return any(_is_printer(each) for part in command.parts for each in commands_of(part))
    return bool(command.words) and _program(command.words[0].value) in PRINTERS


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _program(word: str) -> str:
    return word.rpartition("/")[2]


def _text_of(commands: Iterable[Command]) -> str:
    words = []
    for command in commands:
        inner: list[Command] = [command]
        if isinstance(command, Group):
            inner = [each for part in command.parts for each in commands_of(part)]
        words += [word.raw for each in inner if isinstance(each, Simple) for word in each.words]
    return " ".join(words)


def _has_pipefail(script: Script) -> bool:
    return any(
        isinstance(command, Simple) and "pipefail" in [word.value for word in command.words]
        for command in commands_of(script)
    )
