"""The tokens of a shell script: words with their quotes and expansions, operators, line breaks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from katib.shell.tree import ShellSyntaxError, Word

BLANK = " \t"
META = " \t\n;&|<>()"
OPERATORS = ("&&", "||", ";;", "&>>", "&>", "<<<", "<<-", "<<", ">>", ">&", "<&", "<>", ">|")
Token = Word | str  # an operator or a line break is a str


@dataclass(slots=True)
class Lexer(ABC):
    """One token at a time.

    Attributes:
        text: the script.
        position: where the next token is read from.
        depth: how deeply this part of the script is nested.
        current: the current token, None at the end.
        start: where the current token begins.
        pending: (end, whether tabs in front of it count) of here-documents after this line.
    """

    text: str
    position: int = 0
    depth: int = 0
    current: Token | None = None
    start: int = 0
    pending: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.advance()

    def advance(self) -> None:
        """Read the next token."""
        self._skip_blanks()
        self.start = self.position
        if self.position >= len(self.text):
            self.current = None
            return
        character = self.text[self.position]
        if character == "\n":
            self.position += 1
            self._skip_here_documents()
            self.current = "\n"
        elif character in ";&|<>()":
            self.current = self._operator()
        else:
            self.current = self._word()

    def _skip_blanks(self) -> None:
        while self.position < len(self.text):
            if self.text[self.position] in BLANK:
                self.position += 1
            elif self.text.startswith("\\\n", self.position):
                self.position += 2
            elif self.text[self.position] == "#":
                end = self.text.find("\n", self.position)
                self.position = len(self.text) if end < 0 else end
            else:
                return

    def _operator(self) -> Word | str:
        if self.text.startswith(("<(", ">("), self.position):  # process substitution
            return self._word()
        found = next((o for o in OPERATORS if self.text.startswith(o, self.position)), "")
        found = found or self.text[self.position]
        self.position += len(found)
        return found

    def _word(self) -> Word:
        start = self.position
        value = ""
        plain = True
        while self.position < len(self.text):
            character = self.text[self.position]
            if self.text.startswith(("<(", ">("), self.position) and self.position == start:
                self.position += 1
                value += f"{character}{self._substitution()}"
                plain = False
            elif character == "(" and value.endswith("=") and start < self.position:  # an array
                value += self._substitution()
                plain = False
            elif character in META:
                break
            else:
                piece, unchanged = self._piece(character)
                value += piece
                plain = plain and unchanged
        return Word(self.text[start : self.position], value, plain)

    def _piece(self, character: str) -> tuple[str, bool]:
        """Return the next piece of a word without its quotes, and whether it is as written."""
        if character == "'":
            return self._quoted(), False
        if character == '"':
            return self._double_quoted(), False
        if character == "\\":
            escaped = self.text[self.position + 1 : self.position + 2]
            self.position += 2
            return ("" if escaped == "\n" else escaped), False
        if character == "$":
            return self._expansion(), False
        if character == "`":
            return self._backticks(), False
        self.position += 1
        return character, character not in "*?[{~!#"

    def _quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise ShellSyntaxError("a single quote is not closed")
        inner = self.text[self.position + 1 : end]
        self.position = end + 1
        return inner

    def _double_quoted(self) -> str:
        self.position += 1
        value = ""
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == '"':
                self.position += 1
                return value
            if character == "\\":
                value += self.text[self.position + 1 : self.position + 2]
                self.position += 2
            elif character == "$":
                value += self._expansion()
            elif character == "`":
                value += self._backticks()
            else:
                value += character
                self.position += 1
        raise ShellSyntaxError("a double quote is not closed")

    def _backticks(self) -> str:
        start = self.position
        self.position += 1
        while self.position < len(self.text):
            if self.text[self.position] == "\\":
                self.position += 1
            elif self.text[self.position] == "`":
                self.position += 1
                return self.text[start : self.position]
            self.position += 1
        raise ShellSyntaxError("a backtick is not closed")

    def _expansion(self) -> str:
        start = self.position
        self.position += 1
        if self.text.startswith("((", self.position):
            self._skip_balanced("(", ")")
        elif self.text.startswith("(", self.position):
            self._substitution()
        elif self.text.startswith("{", self.position):
            self._skip_balanced("{", "}")
        elif self.text.startswith("'", self.position):
            self._quoted()
        elif self.text[self.position : self.position + 1] in set("$?!#@*-"):
            self.position += 1
        return self.text[start : self.position]

    def _substitution(self) -> str:
        start = self.position
        self.skip_commands()
        return self.text[start : self.position]

    @abstractmethod
    def skip_commands(self) -> None:
        """Skip `( ... )`, which holds commands or, in an array, words; the parser knows them."""

    def _skip_balanced(self, opening: str, closing: str) -> None:
        depth = 0
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == "\\":
                self.position += 1
            elif character == "'" and opening != "{":
                self._quoted()
                continue
            elif character == '"':
                self._double_quoted()
                continue
            elif character == opening:
                depth += 1
            elif character == closing:
                depth -= 1
                if depth == 0:
                    self.position += 1
                    return
            self.position += 1
        raise ShellSyntaxError(f"a {opening} is not closed")

    def _skip_here_documents(self) -> None:
        for end, indented in self.pending:
            while self.position < len(self.text):
                stop = self.text.find("\n", self.position)
                stop = len(self.text) if stop < 0 else stop
                line = self.text[self.position : stop]
                self.position = min(stop + 1, len(self.text))
                if (line.lstrip("\t") if indented else line) == end:
                    break
        self.pending = []
