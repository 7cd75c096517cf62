"""The structure of scripts; what a shell refuses is refused."""

import random
import shutil
import subprocess

import pytest

from katib.shell.parser import parse_script
from katib.shell.tree import Group, ShellSyntaxError, Simple, commands_of

PIECES = [
    *("a", "b c", "'q ;'", '"d $x"', "$(a b)", "`x`", "${x}", "$((1+2))", "x=1", "\\", "'", '"'),
    *(
        ";",
        "&",
        "&&",
        "||",
        "|",
        "\n",
        ">",
        "2>&1",
        "1>f",
        "<",
        ">>",
        "(",
        ")",
        "{",
        "}",
        "!",
        "#c",
    ),
    *("if", "then", "else", "fi", "for", "in", "do", "done", "while", "case", "esac", ";;"),
    "<<E\nt\nE\n",
]


def words(script: str) -> list[list[str]]:
    """Return the words of each simple command, without their quotes."""
    commands = commands_of(parse_script(script))
    return [[w.value for w in each.words] for each in commands if isinstance(each, Simple)]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("a b; c && d || e | f &", [["a", "b"], ["c"], ["d"], ["e"], ["f"]]),
        ("a 'b;c' \"d e\" f\\ g", [["a", "b;c", "d e", "f g"]]),
        ("a # b; c\nd", [["a"], ["d"]]),
        ("a#b c", [["a#b", "c"]]),
        ("a \\\n b", [["a", "b"]]),
        ("a $(b; c) `d` ${e:-f g}", [["a", "$(b; c)", "`d`", "${e:-f g}"]]),
        ("if a; then b; elif c; then d; else e; fi", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("for i in 1 2; do a $i; done; while b; do c; done", [["a", "$i"], ["b"], ["c"]]),
        ("case $x in a|b) c;; *) d;; esac", [["c"], ["d"]]),
        ("cat <<END > f\nif ;; (\nEND\nb", [["cat"], ["b"]]),
        ("cat <<-END\n\tx\n\tEND\nb", [["cat"], ["b"]]),
        ("( a; b ) | { c; }", [["a"], ["b"], ["c"]]),
        ("f() { a; }; b", [["b"]]),
        ("[[ a && b ]] && x=(1 2) && diff <(a) <(b)", [["x=(1 2)"], ["diff", "<(a)", "<(b)"]]),
        ("a 2>&1 >f; ((i++)); b", [["a"], ["b"]]),
    ],
)
def test_a_script_is_taken_apart_as_a_shell_does(script: str, found: list[list[str]]) -> None:
    assert words(script) == found


@pytest.mark.parametrize(
    "script",
    [
        "a &&",
        "a | ",
        "; a",
        "a ;; b",
        "if a",
        "(a",
        "a)",
        "'a",
        '"a',
        "$(a",
        "a >",
        "{ a",
        "a\n&& b",
    ],
)
def test_what_no_shell_reads_is_refused(script: str) -> None:
    with pytest.raises(ShellSyntaxError):
        parse_script(script)


def test_redirections_and_kinds_of_groups_are_kept() -> None:
    (chain,) = parse_script("(a) 1>f 2>&1").chains
    group = chain.pipelines[0][0]
    assert isinstance(group, Group)
    assert group.kind == "("
    assert [(each.operator, each.descriptor, each.target.value) for each in group.redirections] == [
        (">", 1, "f"),
        (">&", 2, "1"),
    ]


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(ShellSyntaxError, match="nested too deeply"):
        parse_script("$(" * 5000)


@pytest.mark.parametrize("seed", range(3))
def test_real_shells_agree_on_what_can_be_read(seed: int) -> None:
    shells = [name for name in ("dash", "bash") if shutil.which(name)]
    if len(shells) < 2:
        pytest.skip("needs dash and bash")
    letters = random.Random(seed)  # noqa: S311 - nothing is secret
    for _ in range(60):
        script = " ".join(letters.choices(PIECES, k=letters.randint(1, 6)))
        verdicts = {
            subprocess.run([s, "-n", "-c", script], capture_output=True, check=False).returncode
            == 0
            for s in shells
        }
        try:
            parse_script(script)
            ours = True
        except ShellSyntaxError:
            ours = False
        assert ours in verdicts, script
