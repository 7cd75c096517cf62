"""What lint says of scripts, compared with what a real shell makes of them as Katib wraps them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from katib.lint.rules.wrapping import PARAMETER, CommandPlace, check_wrapping
from katib.worker_command import wrap_command

TRAIN = f"sh train.sh {PARAMETER}"
NO_MARKER = {"K260", "K262", "K263"}
NOT_COLLECTED = {"K241", "K261", "K264"}
SCRIPTS = [
    TRAIN,
    f"cd . && {TRAIN}",
    f"mkdir -p made\nexport A=1; {TRAIN} 2>&1",
    f"{{ {TRAIN}; date; }}",
    f"({TRAIN}; exit 0)",
    f"(exec {TRAIN})",
    f"for i in 1 2; do {TRAIN}; done",
    f"if true; then {TRAIN}; fi",
    f"case a in a) {TRAIN};; esac",
    f"# first\ntrue # then\n{TRAIN}",
    f"{TRAIN} <<END\nx\nEND\n",
    f"{{ {TRAIN} <<END\nx\nEND\n}}",
    f"{TRAIN}\n",
    f"{TRAIN}\n\n",
    f"{TRAIN};",
    f"{TRAIN}; date",
    f"{TRAIN} && date",
    f"{TRAIN} || date",
    f"exec {TRAIN}",
    f"cd . && exec {TRAIN}",
    f"if true; then exec {TRAIN}; fi",
    f"{TRAIN} # all",
    f"{TRAIN} <<END\nx\nEND",
    f"{TRAIN};;",
    f"{TRAIN} '",
    f"{TRAIN} $(",
    f"{TRAIN} && if",
    f"{TRAIN}; exit 0",
    f"{TRAIN} > log",
    f"{TRAIN} > log 2>&1",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.sh").write_text("cat > /dev/null < /dev/null; echo mse=1\n")
    return tmp_path


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize("script", SCRIPTS)
def test_lint_says_what_a_shell_does(folder: Path, script: str) -> None:
    output = folder / "metrics.log"
    command = wrap_command(["sh", "-c", script], output=str(output), folder=str(folder))
    place = CommandPlace(("command",), ("command", 2))
    codes = {found.code for found in check_wrapping(command, place, output=str(output))}
    done = subprocess.run(
        ["sh", "-c", command.text], cwd=folder, capture_output=True, check=False, timeout=60
    )
    marked = any(path.read_text() == "completed\n" for path in folder.glob("*.pid"))
    collected = output.exists() and "mse=1" in output.read_text()
    assert marked == (not codes & NO_MARKER), (codes, done.stderr)
    if marked:
        assert collected == (not codes & NOT_COLLECTED), codes
