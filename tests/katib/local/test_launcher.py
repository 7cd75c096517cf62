"""Trials as processes: what they are given, what they print, how they end."""

import os
import sys
from pathlib import Path

import pytest
from support.katib.experiments import shell_command
from support.katib.launchers import linux
from support.katib.launchers import run_command as run

from katib.local.launcher import Exit


def test_output_and_errors_are_one_stream_in_the_order_of_printing() -> None:
    lines, end = run(shell_command("echo one; echo two >&2; echo three; printf four"))
    assert lines == ["one", "two", "three", "four"]
    assert end.code == 0


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 3", 3),
        ("kill -9 $$", -9),
        ("kill -TERM $$", -15),
        ("kill -SEGV $$", -11),
        ("exit 255", 255),
    ],
)
def test_a_code_or_a_signal_is_how_it_ended(script: str, code: int) -> None:
    assert run(shell_command(script))[1].code == code


def test_a_command_that_is_not_there_ends_as_a_shell_would_end_it(tmp_path: Path) -> None:
    assert run(["no-such-command"]) == (
        ["no-such-command: command not found"],
        Exit(127, pytest.approx(0, abs=1)),
    )
    (tmp_path / "data").write_text("x")
    lines, end = run([str(tmp_path / "data")])
    assert (lines, end.code) == ([f"{tmp_path / 'data'}: Permission denied"], 126)


def test_arguments_arrive_untouched() -> None:
    words = ["a b", "'\"", "*", "$HOME", "", "ü\n", "-"]
    script = "import sys; print(ascii(sys.argv[1:]))"
    assert run([sys.executable, "-c", script, *words])[0] == [ascii(words)]


def test_environment_and_folder_are_the_given_ones(tmp_path: Path) -> None:
    lines, _ = run(shell_command('echo "$A"; pwd; echo "$HOME"'), env={"A": "one $B"}, cwd=tmp_path)
    assert lines == ["one $B", str(tmp_path.resolve()), os.environ["HOME"]]


def test_a_folder_that_is_not_there_fails_the_trial_and_says_so(tmp_path: Path) -> None:
    lines, end = run(["true"], cwd=tmp_path / "gone")
    assert end.code == 1
    assert "FileNotFoundError" in lines[-1]


def test_stdin_is_empty() -> None:
    assert run(["cat"]) == ([], Exit(0, pytest.approx(0, abs=1)))


def test_cpu_seconds_are_those_of_the_process() -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    assert 0.3 <= run([sys.executable, "-c", spin])[1].cpu < 3


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\n\na", ["", "", "a"]),
        (b"\xff\xfe\x00mse=1\n", ["\ufffd\ufffd\x00mse=1"]),
        (b"10%\r20%\rmse=1\n", ["10%\r20%\rmse=1"]),
        (b"", []),
    ],
)
def test_any_bytes_become_lines(output: bytes, lines: list[str]) -> None:
    script = f"import sys; sys.stdout.buffer.write({output!r})"
    assert run([sys.executable, "-c", script])[0] == lines


def test_a_very_long_line_is_cut_and_the_next_one_is_whole() -> None:
    script = "print('x' * 5_000_000); print('mse=1')"
    long, last = run([sys.executable, "-c", script])[0]
    assert set(long) == {"x"}
    assert 1 << 20 <= len(long) <= 1 << 21
    assert last == "mse=1"


def test_signals_have_their_usual_effect_in_a_trial() -> None:
    signals = "(s.SIGTERM, s.SIGCHLD, s.SIGHUP)"
    script = f"import signal as s; print([s.getsignal(n) == s.SIG_DFL for n in {signals}])"
    assert run([sys.executable, "-c", script])[0] == ["[True, True, True]"]
    assert run(shell_command("yes | head -n 1")) == (
        ["y"],
        Exit(0, pytest.approx(0, abs=1)),
    )  # not: "Broken pipe"


@linux
def test_a_trial_has_no_other_files_open_than_its_standard_ones() -> None:
    script = "import os; print(sorted(read(n)[:4] for n in range(3, 20) if exists(n)))"
    defined = (
        "path = lambda n: f'/proc/self/fd/{n}'; read = lambda n: os.readlink(path(n)); "
        "exists = lambda n: os.path.lexists(path(n)) and '/fd' not in read(n)"
    )
    assert run([sys.executable, "-c", f"import os\n{defined}\n{script}"])[0] == ["[]"]
