"""`tunegate lint`: files, folders, stdin, formats, exit codes, and what it writes."""

import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cli import tunegate
from support.katib.lint_cases import SHIPPED

from tunegate.cli import main

TEXT = SHIPPED.read_text(encoding="utf-8")
BROKEN = TEXT.replace("type: minimize", "type: Minimize # the error")
BOMB = b"".join(
    b"b%d: &b%d [*%s, *%s]\n" % (i, i, last, last)
    for i, last in enumerate([b"a", *(b"b%d" % i for i in range(25))])
)
EVENTS = TEXT.replace(
    "  parallelTrialCount: 4",
    "  metricsCollectorSpec: { collector: { kind: TensorFlowEvent } }\n  parallelTrialCount: 4",
)


class Run:
    """What a call in this process said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: object) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["lint", *map(str, words)])
        self.code = ended.value.code
        self.stdout, self.stderr = capsys.readouterr()


Lint = Callable[..., Run]


@pytest.fixture
def lint(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Lint:
    monkeypatch.chdir(tmp_path)
    return lambda *words: Run(capsys, *words)


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))


def test_a_good_file_has_nothing_to_fix(lint: Lint) -> None:
    run = lint(SHIPPED)
    assert (run.code, run.stdout, run.stderr) == (0, "", "1 file, nothing to fix\n")


def test_an_error_is_reported_with_place_reason_and_fix(lint: Lint) -> None:
    Path("a.yaml").write_text(BROKEN)
    run = lint("a.yaml")
    assert run.code == 2
    line = TEXT[: TEXT.index("type: minimize")].count("\n") + 1
    assert (
        f"error: a.yaml:{line}:5: K111 spec.objective.type: must be minimize or maximize"
        in run.stderr
    )
    assert "(write minimize)" in run.stderr
    assert "    The webhook refuses it" in run.stderr
    assert run.stderr.endswith("1 file: 1 error; --fix fixes 1\n")


def test_several_files_folders_and_stdin_are_linted_in_one_run(
    lint: Lint, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("folder/deep").mkdir(parents=True)
    Path("folder/deep/a.yml").write_text(BROKEN)
    Path("folder/deep/service.yaml").write_text("kind: Service\n")
    Path("folder/chart.yaml").write_text("{{ if .Values.on }}\n")
    Path("folder/.hidden.yaml").write_text(BROKEN)
    Path("b.yaml").write_text(TEXT)
    stdin(monkeypatch, BROKEN)
    run = lint("b.yaml", "folder", "-")
    assert run.code == 2
    assert "folder/deep/a.yml:" in run.stderr
    assert "stdin:" in run.stderr
    assert run.stderr.endswith("3 files: 2 errors; --fix fixes 2\n")


def test_a_built_stream_is_linted_whatever_else_it_holds(
    lint: Lint, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: tunegate-search\n"
    listed = json.dumps({"kind": "List", "items": [{"kind": "Pod"}, {"kind": "Experiment"}]})
    stdin(monkeypatch, f"{namespace}---\n{TEXT}---\n# nothing\n---\n{listed}\n")
    run = lint("-", "--json")
    codes = {entry["code"] for entry in json.loads(run.stdout)}
    assert {"K107", "K104"} <= codes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "a.yaml:1:1: K001 document: No such file or directory (check the path)"),
        (b"", "a.yaml:1:1: K002 document: no document of kind Experiment"),
        (b"# nothing\n---\n", "a.yaml:1:1: K002"),
        (b"kind: Deployment\n", "a.yaml:1:1: K002"),
        (b"kind: experiment\n", "did you mean kind: Experiment?"),
        (b"kind: Expriment\n", "did you mean kind: Experiment?"),
        (b"just text", "a.yaml:1:1: K002"),
        (b"a: [1\nb: 2\n", "a.yaml:2:2: K001"),
        (b"a: {{ .Values.x }}\n", "render the Helm or Jinja template first"),
        (b"\xff\xfe\x00", "a.yaml:1:1: K001 document: not a text in UTF-8"),
        (b"\t- x: 1", "a.yaml:1:1: K001"),
        (b"a: " + b"[" * 3000, "K001"),
        (b"kind: Experiment\nspec: &a { b: *a }\n", "an alias stands for what it is in"),
        (b"kind: Experiment\na: &a [x, x]\n" + BOMB, "aliases make more of it than can be checked"),
    ],
)
def test_a_text_without_an_experiment_is_reported_with_what_to_do(
    lint: Lint, content: bytes | None, said: str
) -> None:
    if content is not None:
        Path("a.yaml").write_bytes(content)
    run = lint("a.yaml")
    assert run.code == 2
    assert said in run.stderr


def test_a_folder_without_an_experiment_and_an_unknown_code_are_misuse(lint: Lint) -> None:
    run = lint(".")
    assert (run.code, "no Experiment in there" in run.stderr) == (2, True)
    run = lint(".", "--ignore", "K999")
    assert (run.code, "there is no such code" in run.stderr) == (2, True)


def test_limits_of_this_machine_are_notes_unless_it_is_to_run_here(lint: Lint) -> None:
    Path("a.yaml").write_text(EVENTS)
    both = lint("a.yaml")
    here = lint("a.yaml", "--on", "local")
    there = lint("a.yaml", "--on", "katib")
    assert (both.code, here.code, there.code) == (0, 2, 0)
    assert "note, only here: a.yaml" in both.stderr
    assert "error, only here: a.yaml" in here.stderr
    assert "nothing to fix" in there.stderr


def test_what_only_katib_stumbles_over_is_a_warning_here(lint: Lint) -> None:
    Path("a.yaml").write_text(TEXT.replace('["squared_error", "poisson"]', "['a \"b\"', c]"))
    assert lint("a.yaml").code == 2
    assert lint("a.yaml", "--on", "local").code == 0


def test_an_algorithm_of_the_clusters_own_is_a_warning_there(lint: Lint) -> None:
    Path("a.yaml").write_text(TEXT.replace("algorithmName: tpe", "algorithmName: ours"))
    assert (lint("a.yaml").code, lint("a.yaml", "--on", "katib").code) == (2, 0)
    assert lint("a.yaml", "--on", "katib", "--strict").code == 2
    assert lint("a.yaml", "--ignore", "K121").code == 0


def test_fix_changes_the_word_keeps_the_mode_and_follows_links(lint: Lint) -> None:
    real = Path("real.yaml")
    real.write_text(BROKEN)
    real.chmod(0o640)
    Path("a.yaml").symlink_to(real)
    run = lint("a.yaml", "--fix")
    assert (run.code, "a.yaml: fixed 1" in run.stderr) == (0, True)
    assert real.read_text() == TEXT.replace("type: minimize", "type: minimize # the error")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert Path("a.yaml").is_symlink()
    assert sorted(map(str, Path().iterdir())) == [
        "a.yaml",
        "real.yaml",
    ]  # nothing temporary is left
    before = real.stat().st_mtime_ns
    assert lint("a.yaml", "--fix").code == 0
    assert real.stat().st_mtime_ns == before


def test_diff_shows_a_patch_and_changes_nothing(lint: Lint) -> None:
    Path("a.yaml").write_text(BROKEN)
    run = lint("a.yaml", "--fix", "--diff")
    assert Path("a.yaml").read_text() == BROKEN
    assert run.code == 2
    subprocess.run(["patch", "-p0"], input=run.stdout, text=True, check=True, capture_output=True)
    assert Path("a.yaml").read_text() == TEXT.replace(
        "type: minimize", "type: minimize # the error"
    )


def test_stdin_comes_out_fixed(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, BROKEN)
    run = lint("-", "--fix")
    assert (run.code, run.stdout) == (
        0,
        TEXT.replace("type: minimize", "type: minimize # the error"),
    )


def test_two_things_do_not_go_to_stdout_at_once(lint: Lint) -> None:
    assert lint("-", "--fix", "--json").code == 2
    assert lint(SHIPPED, "--diff", "--format", "sarif").code == 2


def test_json_has_everything_a_program_wants(lint: Lint) -> None:
    Path("a.yaml").write_text(BROKEN)
    (entry,) = json.loads(lint("a.yaml", "--format", "json").stdout)
    assert entry["code"] == "K111"
    assert entry["fixable"] is True
    assert set(entry) >= {
        "severity",
        "source",
        "line",
        "column",
        "field",
        "message",
        "fix",
        "why",
        "only_local",
    }
    assert json.loads(lint(SHIPPED, "--json").stdout) == []


def test_sarif_comes_on_stdout_alone_and_keeps_the_exit_code(lint: Lint) -> None:
    Path("a.yaml").write_text(BROKEN)
    run = lint("a.yaml", "--format", "sarif")
    assert run.code == 2
    assert [result["ruleId"] for result in json.loads(run.stdout)["runs"][0]["results"]] == ["K111"]


@pytest.mark.parametrize("columns", ["20", "80"])
def test_a_place_stays_on_one_line_in_any_width(tmp_path: Path, columns: str) -> None:
    (tmp_path / "a.yaml").write_text(BROKEN)
    run = tunegate("lint", "a.yaml", cwd=tmp_path, env={"COLUMNS": columns})
    assert run.returncode == 2
    assert run.stderr.splitlines()[0].endswith("(write minimize)")
    assert "\x1b" not in run.stderr
    assert all(
        len(line) <= int(columns) for line in run.stderr.splitlines() if line.startswith("    ")
    )


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    (tmp_path / "a.yaml").write_text(BROKEN)
    tmp_path.chmod(0o500)
    done = tunegate("lint", "a.yaml", "--fix", cwd=tmp_path)
    tmp_path.chmod(0o700)
    assert (done.returncode, "cannot be written" in done.stderr) == (2, True)
