"""A preloaded module's `python -m` runs in a fork, and differs only in the time it takes."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from katib.errors import EngineError
from katib.local.launcher import Exit, Launcher

TOY = """
import os, sys

IMPORTED_IN = os.getpid()

def main(argv=None):
    what, *rest = sys.argv[1:] if argv is None else argv
    print("args", rest, sys.argv[1:], os.environ.get("COLOUR"), os.getcwd())
    print("to stderr", file=sys.stderr)
    if what == "return":
        return int(rest[0]) if rest else None
    if what == "exit":
        sys.exit(eval(rest[0]))
    if what == "raise":
        raise ValueError("bad " + rest[0])
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "signal":
        os.kill(os.getpid(), int(rest[0]))
    print("no end of line", end="")

if __name__ == "__main__":
    sys.exit(main())
"""
CASES = [
    ["return"],
    ["return", "0"],
    ["return", "2"],
    ["exit", "0"],
    ["exit", "3"],
    ["exit", "None"],
    ["exit", "'a reason'"],
    ["exit", "True"],
    ["raise", "luck"],
    ["signal", "9"],
    ["signal", "15"],
    ["end", "a b", "$HOME", ""],
]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "__main__.py").write_text(TOY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")  # so that the two streams come in one order
    return tmp_path


def run_toy(preload: Sequence[str], *arguments: str, cwd: Path) -> tuple[list[str], Exit]:
    async def go() -> tuple[list[str], Exit]:
        async with Launcher(preload) as launcher:
            child = await launcher.start(
                [sys.executable, "-m", "toy", *arguments], {"COLOUR": "red"}, cwd
            )
            return [line async for line in child.lines()], await child.ended

    return asyncio.run(go())


@pytest.mark.parametrize("arguments", CASES, ids=" ".join)
def test_output_and_exit_code_are_those_of_a_fresh_interpreter(
    toy: Path, arguments: list[str]
) -> None:
    fresh, fresh_end = run_toy([], *arguments, cwd=toy)
    forked, forked_end = run_toy(["toy"], *arguments, cwd=toy)
    at_end = -1 if arguments[0] == "raise" else None  # the frames in between are others
    assert forked[:2] == fresh[:2]
    assert forked[at_end:] == fresh[at_end:]
    assert forked_end.code == fresh_end.code


@pytest.mark.parametrize(
    ("what", "last"), [("raise", "ValueError: bad luck"), ("interrupt", "KeyboardInterrupt")]
)
def test_an_exception_fails_the_trial_with_its_traceback_in_the_output(
    toy: Path, what: str, last: str
) -> None:
    lines, end = run_toy(["toy"], what, "luck", cwd=toy)
    assert "Traceback (most recent call last):" in lines
    assert lines[-1] == last
    assert end.code == 1


def run_probe(toy: Path, expression: str, preload: Sequence[str], count: int = 1) -> list[str]:
    (toy / "toy" / "__main__.py").write_text(
        f"import os\nHERE = os.getpid()\ndef main(argv=None): print({expression})\n"
        'if __name__ == "__main__": main()\n'
    )

    async def go() -> list[str]:
        async with Launcher(preload) as launcher:
            children = [
                await launcher.start([sys.executable, "-m", "toy"], {}, None) for _ in range(count)
            ]
            return [line for child in children async for line in child.lines()]

    return asyncio.run(go())


def test_the_module_is_imported_once_for_all_trials_and_not_in_them(toy: Path) -> None:
    importers = set(run_probe(toy, "HERE, HERE == os.getpid()", ["toy"], count=3))
    assert len(importers) == 1
    assert importers.pop().endswith("False")
    assert {
        line.rpartition(" ")[2] for line in run_probe(toy, "HERE, HERE == os.getpid()", [], count=2)
    } == {"True"}


def test_each_trial_is_a_process_group_of_its_own(toy: Path) -> None:
    groups = run_probe(toy, "os.getpgrp() == os.getpid(), os.getpgrp()", ["toy"], count=3)
    assert len(set(groups)) == 3
    assert {line.split()[0] for line in groups} == {"True"}


def test_trials_do_not_share_the_state_of_the_standard_generator(toy: Path) -> None:
    assert len(set(run_probe(toy, "__import__('random').random()", ["toy"], count=3))) == 3


def test_variables_of_one_trial_are_not_those_of_the_next(toy: Path) -> None:
    async def go() -> list[str]:
        async with Launcher(["toy"]) as launcher:
            command = [sys.executable, "-m", "toy", "end"]
            first = await launcher.start(command, {"COLOUR": "blue"}, toy)
            await first.ended
            second = await launcher.start(command, {}, toy)
            return [line async for line in second.lines()]

    assert "None" in asyncio.run(go())[0]


@pytest.mark.parametrize("module", ["toy.other", "toy"])
def test_a_module_that_was_not_preloaded_is_executed(toy: Path, module: str) -> None:
    (toy / "toy" / "other").mkdir()
    (toy / "toy" / "other" / "__main__.py").write_text("def main(argv): pass")
    assert run_toy([module], "return", "2", cwd=toy)[1].code == 2


@pytest.mark.parametrize(
    "content", ["raise ImportError('no')", "x = 1"], ids=["import fails", "no main"]
)
def test_a_module_that_cannot_be_preloaded_is_an_error_of_the_engine(
    toy: Path, content: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (toy / "toy" / "__main__.py").write_text(content)
    with pytest.raises(EngineError, match="parent process"):
        run_toy(["toy"], "return", cwd=toy)
    assert "Error" in capfd.readouterr().err


def other_interpreter(folder: Path) -> str:
    """Make a command that is this Python by another name."""
    command = folder / "other-python"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    command.chmod(0o755)
    return str(command)


@pytest.mark.parametrize("by_another_name", [False, True])
@pytest.mark.parametrize("kind", ["module", "package"])
def test_a_folders_own_module_does_not_stand_for_a_preloaded_one(
    toy: Path, *, by_another_name: bool, kind: str
) -> None:
    own = toy / "own"
    file = own / "toy.py" if kind == "module" else own / "toy" / "__main__.py"
    file.parent.mkdir(parents=True)
    file.write_text("print('the folder has its own')")
    python = other_interpreter(toy) if by_another_name else sys.executable

    async def go() -> list[str]:
        async with Launcher(["toy"]) as launcher:
            child = await launcher.start([python, "-m", "toy", "return"], {}, own)
            return [line async for line in child.lines()]

    assert asyncio.run(go())[0].startswith("args []")


@pytest.mark.parametrize("words", [["train.py"], ["-m", "mine"]])
def test_a_users_own_training_finds_the_modules_of_its_folder(toy: Path, words: list[str]) -> None:
    (toy / "helper.py").write_text("TEXT = 'found'")
    for name in ("train.py", "mine.py"):
        (toy / name).write_text("import helper; print(helper.TEXT)")

    async def go() -> list[str]:
        async with Launcher(["toy"]) as launcher:
            child = await launcher.start([sys.executable, *words], {}, toy)
            return [line async for line in child.lines()]

    assert asyncio.run(go()) == ["found"]
