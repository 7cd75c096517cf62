"""The structure of a shell script, as far as it decides which command's output goes where.

It reads POSIX shell and what bash adds to it ([[, ((, arrays, <( )), and refuses what both refuse.
Nothing is executed or expanded. The standard library's shlex knows words alone: neither line
breaks, here-documents, substitutions nor which operators are quoted.
"""

from collections.abc import Collection
from dataclasses import dataclass

from katib.shell.lexer import Lexer
from katib.shell.tree import (
    Chain,
    Command,
    Group,
    Redirection,
    Script,
    ShellSyntaxError,
    Simple,
    Word,
)

REDIRECTIONS = frozenset({"<", ">", ">>", "<<", "<<-", "<<<", ">&", "<&", "<>", ">|", "&>", "&>>"})
SEPARATORS = frozenset({";", "&", "\n"})
CLOSING = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}", "in"})
MOST_NESTED = 60


def parse_script(text: str) -> Script:
    """Return the structure of a script.

    Raises:
        ShellSyntaxError: when a shell would refuse it.
    """
    parser = _Parser(text)
    script = parser.script(frozenset())
    if parser.current is not None:
        raise parser.unexpected()
    return script


@dataclass(slots=True)
class _Parser(Lexer):
    """Recursive descent with one token of lookahead."""

    def skip_commands(self) -> None:
        """Skip `( ... )`, which holds commands or, in an array, words."""
        self.limit_depth()
        inner = _Parser(self.text, self.position + 1, self.depth + 1)
        inner.script(frozenset({")"}), may_be_empty=True)
        if inner.current != ")":
            raise inner.unexpected()
        self.position = inner.position

    def limit_depth(self) -> None:
        """Refuse what is nested too deeply to be read."""
        if self.depth > MOST_NESTED:
            raise ShellSyntaxError("it is nested too deeply")

    def unexpected(self) -> ShellSyntaxError:
        """Return the error for the token that cannot stand here."""
        if self.current is None:
            return ShellSyntaxError("it ends where a command should follow")
        if self.current == "\n":
            return ShellSyntaxError("a line ends where a command should follow")
        shown = self.current.raw if isinstance(self.current, Word) else self.current
        return ShellSyntaxError(f"{shown!r} cannot stand there")

    def reserved(self) -> str:
        """Return the token as a reserved word, empty if it is quoted or an operator."""
        return self.current.raw if isinstance(self.current, Word) else ""

    def expect(self, word: str) -> None:
        """Take a reserved word or an operator."""
        if word not in {self.reserved(), self.current}:
            raise self.unexpected()
        self.advance()

    def skip_lines(self) -> None:
        """Skip empty lines."""
        while self.current == "\n":
            self.advance()

    def script(self, ends: Collection[str], *, may_be_empty: bool | None = None) -> Script:
        """Read chains up to one of the ends, which stays the next token."""
        chains: list[Chain] = []
        self.skip_lines()
        while self.current is not None and self.current not in ends and self.reserved() not in ends:
            chain = self.chain()
            if self.current == "&":
                chain = Chain(chain.pipelines, chain.operators, background=True)
            chains.append(chain)
            if self.current not in SEPARATORS:
                break
            self.advance()
            self.skip_lines()
        if not chains and not (may_be_empty or not ends):
            raise self.unexpected()
        return Script(tuple(chains))

    def chain(self) -> Chain:
        """Read pipelines with `&&` and `||` between them."""
        pipelines = [self.pipeline()]
        operators = []
        while self.current in ("&&", "||"):
            operators.append(str(self.current))
            self.advance()
            self.skip_lines()
            pipelines.append(self.pipeline())
        return Chain(tuple(pipelines), tuple(operators))

    def pipeline(self) -> tuple[Command, ...]:
        """Read commands with `|` between them."""
        while self.reserved() == "!":
            self.advance()
        commands = [self.command()]
        while self.current == "|":
            self.advance()
            if self.current == "&":  # |& of bash
                self.advance()
            self.skip_lines()
            commands.append(self.command())
        return tuple(commands)

    def command(self) -> Command:
        """Read one command."""
        self.depth += 1
        self.limit_depth()
        try:
            kind = self.reserved()
            compounds = {
                "if": self._if,
                "while": self._loop,
                "until": self._loop,
                "for": self._for,
                "select": self._for,
                "case": self._case,
                "{": self._braces,
                "[[": self._test,
                "function": self._function,
            }
            if self.current == "(":
                return self._parenthesis()
            if kind in compounds:
                return Group(kind, compounds[kind](), self._redirections())
            if kind in CLOSING:
                raise self.unexpected()
            return self._simple()
        finally:
            self.depth -= 1

    def _simple(self) -> Command:
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            if isinstance(self.current, Word):
                if redirection := self._numbered():
                    redirections.append(redirection)
                    continue
                words.append(self.current)
                self.advance()
                if len(words) == 1 and self._opens():
                    return self._function_body()
            elif self.current in REDIRECTIONS:
                redirections.append(self._redirection(-1))
            else:
                break
        if not words and not redirections:
            raise self.unexpected()
        return Simple(tuple(words), tuple(redirections))

    def _opens(self) -> bool:
        return self.current == "("

    def _numbered(self) -> Redirection | None:
        """Read a redirection with its descriptor, which stands directly in front of it."""
        assert isinstance(self.current, Word)  # noqa: S101 - the caller has looked
        if not self._is_descriptor():
            return None
        descriptor = int(self.current.raw)
        self.advance()
        return self._redirection(descriptor)

    def _is_descriptor(self) -> bool:
        following = self.text[self.position : self.position + 1]
        return self.reserved().isdecimal() and following in set("<>")

    def _redirection(self, descriptor: int) -> Redirection:
        operator = str(self.current)
        self.advance()
        if not isinstance(self.current, Word) or self._is_descriptor():
            raise self.unexpected()
        target = self.current
        if operator in {"<<", "<<-"}:
            self.pending.append((target.value, operator == "<<-"))
        self.advance()
        return Redirection(operator, descriptor, target)

    def _redirections(self) -> tuple[Redirection, ...]:
        found: list[Redirection] = []
        while True:
            if self.current in REDIRECTIONS:
                found.append(self._redirection(-1))
            elif isinstance(self.current, Word) and (numbered := self._numbered()):
                found.append(numbered)
            else:
                return tuple(found)

    def _parenthesis(self) -> Command:
        if self.text.startswith("((", self.start):
            self.position = self.start
            self._skip_balanced("(", ")")
            self.advance()
            return Group("((", (), self._redirections())
        self.advance()
        body = self.script(frozenset({")"}))
        self.expect(")")
        return Group("(", (body,), self._redirections())

    def _braces(self) -> tuple[Script, ...]:
        self.advance()
        body = self.script(frozenset({"}"}))
        self.expect("}")
        return (body,)

    def _if(self) -> tuple[Script, ...]:
        parts = []
        while True:
            self.advance()  # if or elif
            parts.append(self.script(frozenset({"then"})))
            self.expect("then")
            parts.append(self.script(frozenset({"elif", "else", "fi"})))
            if self.reserved() != "elif":
                break
        if self.reserved() == "else":
            self.advance()
            parts.append(self.script(frozenset({"fi"})))
        self.expect("fi")
        return tuple(parts)

    def _loop(self) -> tuple[Script, ...]:
        self.advance()
        condition = self.script(frozenset({"do"}))
        return (condition, self._do())

    def _do(self) -> Script:
        self.expect("do")
        body = self.script(frozenset({"done"}))
        self.expect("done")
        return body

    def _for(self) -> tuple[Script, ...]:
        self.advance()
        if self.current == "(":
            self._parenthesis()
        else:
            self._take_word()
            self.skip_lines()
            if self.reserved() == "in":
                self.advance()
                while isinstance(self.current, Word):
                    self.advance()
        if self.current == ";":
            self.advance()
        self.skip_lines()
        return (self._do(),)

    def _case(self) -> tuple[Script, ...]:
        self.advance()
        self._take_word()
        self.skip_lines()
        self.expect("in")
        self.skip_lines()
        parts = []
        while self.reserved() != "esac":
            if self.current == "(":
                self.advance()
            self._take_word()
            while self.current == "|":
                self.advance()
                self._take_word()
            self.expect(")")
            parts.append(self.script(frozenset({";;", "esac"}), may_be_empty=True))
            if self.current == ";;":
                self.advance()
                self.skip_lines()
        self.expect("esac")
        return tuple(parts)

    def _test(self) -> tuple[Script, ...]:
        while self.reserved() != "]]":
            if self.current is None or self.current == "\n":
                raise self.unexpected()
            self.advance()
        self.advance()
        return ()

    def _function(self) -> tuple[Script, ...]:
        self.advance()
        self._take_word()
        if self.current == "(":
            self.advance()
            self.expect(")")
        self.skip_lines()
        self.command()
        return ()

    def _function_body(self) -> Command:
        self.advance()
        self.expect(")")
        self.skip_lines()
        self.command()
        return Group("function", ())

    def _take_word(self) -> None:
        if not isinstance(self.current, Word):
            raise self.unexpected()
        self.advance()
