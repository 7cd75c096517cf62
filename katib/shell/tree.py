"""What a shell script consists of."""

from collections.abc import Iterator
from dataclasses import dataclass


class ShellSyntaxError(ValueError):
    """A shell would refuse the script."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command.

    Attributes:
        raw: as it is written.
        value: without quotes; what the shell would expand stays as it is written.
        plain: whether the program gets exactly what is written.
    """

    raw: str
    value: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Redirection:
    """A redirection: `operator` without the descriptor in front of it, which is -1 if unwritten."""

    operator: str
    descriptor: int
    target: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """A command of words; it may have none but redirections."""

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A compound command: `(`, `{`, if, while, until, for, case, function, [[ or ((."""

    kind: str
    parts: tuple["Script", ...]
    redirections: tuple[Redirection, ...] = ()


Command = Simple | Group


@dataclass(frozen=True, slots=True)
class Chain:
    """Pipelines joined by `&&` and `||`; `operators` has one less than there are pipelines."""

    pipelines: tuple[tuple[Command, ...], ...]
    operators: tuple[str, ...]
    background: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """The chains of a script, in order."""

    chains: tuple[Chain, ...]


def commands_of(script: Script) -> Iterator[Command]:
    """Yield every command, those inside of groups too."""
    for chain in script.chains:
        for pipeline in chain.pipelines:
            for command in pipeline:
                yield command
                if isinstance(command, Group):
                    for part in command.parts:
                        yield from commands_of(part)
