"""Commands as Katib runs them: what breaks them, and what only looks as if it did."""

from typing import Any

import pytest
from support.katib.lint_cases import codes, edited, findings

from katib.lint import lint_text
from katib.lint.catalogue import example_experiment
from katib.lint.fix import apply_fixes

MAIN = "spec.trialTemplate.trialSpec.spec.template.spec.containers.0"
COLLECTOR = "spec.metricsCollectorSpec"
NAMES = [entry["name"] for entry in edited({})["spec"]["trialTemplate"]["trialParameters"]]
TRAIN = "python train.py " + " ".join(f"--{name}=${{trialParameters.{name}}}" for name in NAMES)
TRAPS = {f"K{number}" for number in (233, 241, 242, 245, *range(260, 270))}
# As KatibClient.tune() of kubeflow-katib 0.19 writes it.
TUNE = f"""
program_path=$(mktemp -d)
read -r -d '' SCRIPT << EOM

def objective(parameters):
    print(f"mse={{parameters['x']}}")

objective({{'x': '${{trialParameters.maxDepth}}'}})

EOM
printf "%s" "$SCRIPT" > "$program_path/ephemeral_script.py"
python3 -u "$program_path/ephemeral_script.py" {TRAIN}"""

# What a shell script is found to be, and nothing else; empty if nothing.
SCRIPTS: dict[str, tuple[str, str]] = {
    "one command": ("", TRAIN),
    "into a folder": ("", f"cd /app && {TRAIN}"),
    "into a folder, on a line": ("", f"cd /app\n{TRAIN}"),
    "what is prepared first": ("", f"pip install -r requirements.txt && {TRAIN}"),
    "another program first": ("", f"python fetch.py; {TRAIN}"),
    "a message first": ("", f"echo training with ${{trialParameters.maxDepth}}; {TRAIN}"),
    "a condition": ("", f"if [ -f x ]; then {TRAIN}; else {TRAIN} --more; fi"),
    "a group": ("", f"{{ {TRAIN}; date; }}"),
    "a subshell that execs": ("", f"(exec {TRAIN})"),
    "settings": ("", f"set -euo pipefail; export A=1\nulimit -n 1024; {TRAIN}"),
    "a pipe whose failure counts": ("", f"set -o pipefail; {TRAIN} | tee log"),
    "a comment inside": ("", f"# train\ntrue # fast\n{TRAIN}"),
    "the SDK's own": ("", TUNE),
    "exits with a failure": ("", f"test -f x || exit 1; {TRAIN}"),
    "a line break": ("K261", f"{TRAIN}\n"),
    "line breaks and blanks": ("K261", f"{TRAIN}\n\n  "),
    "a here-document at the end": ("K261", f"{TRAIN} - <<END\nx\nEND\n"),
    "exec": ("K262", f"exec {TRAIN}"),
    "exec in a folder": ("K262", f"cd /app && exec {TRAIN}"),
    "exec in a group": ("K262", f"{{ exec {TRAIN}; }}"),
    "exec with a variable": ("K262", f"A=1 exec {TRAIN}"),
    "exec as a builtin": ("K262", f"cd /app; command exec {TRAIN}"),
    "exit at the end": ("K262", f"{{ {TRAIN}; }}; exit 0"),
    "a comment at the end": ("K263", f"{TRAIN} # fast"),
    "a backslash at the end": ("K263", f"{TRAIN} \\"),
    "two backslashes at the end": ("", f"{TRAIN} a\\\\"),
    "a line that would go on": ("", f"{TRAIN} \\\n"),
    "a here-document without its end": ("K263", f"{TRAIN} - <<END\nx\nEND"),
    "a semicolon": ("K264", f"{TRAIN};"),
    "in the background": ("K264", f"{TRAIN} &"),
    "two semicolons": ("K260", f"{TRAIN};;"),
    "an open quote": ("K260", f"{TRAIN} 'a"),
    "and nothing": ("K264", f"{TRAIN} &&"),
    "an open condition": ("K260", f"if true; then {TRAIN}"),
    "a date after it": ("K241", f"{TRAIN}; date"),
    "waited for": ("K241", f"{TRAIN} & wait"),
    "or else": ("K241", f"{TRAIN} || echo failed"),
    "a pipe": ("K241", f"{TRAIN} | tee log"),
    "a file of its own": ("K245", f"{TRAIN} > log"),
    "a file in a group": ("K245", f"{{ {TRAIN} > log; }}"),
    "an argument": ("K265", f"{TRAIN} $1"),
}


def shell(script: str, *, kind: str = "StdOut", name: str = "sh") -> dict[str, Any]:
    edits: dict[str, Any] = {f"{MAIN}.command": [name, "-c"], f"{MAIN}.args": [script]}
    if kind == "File":
        edits[f"{COLLECTOR}.collector.kind"] = "File"
        edits[f"{COLLECTOR}.source.fileSystemPath"] = {"path": "/metrics/out.log"}
    return edits


@pytest.mark.parametrize(("code", "script"), SCRIPTS.values(), ids=list(SCRIPTS))
def test_a_script_is_found_to_be_what_katib_makes_of_it(code: str, script: str) -> None:
    if code == "K262" and "exit" in script:
        assert "K262" in codes(edited(shell(script)))
        return
    assert codes(edited(shell(script))) & TRAPS == ({code} if code else set())


@pytest.mark.parametrize(
    ("code", "script"),
    [
        ("", f"{TRAIN}"),
        ("", f"{TRAIN} > /dev/null; date"),
        ("K260", f"{TRAIN};"),
        ("K260", f"{TRAIN} &"),
        ("K261", f"{TRAIN}\n"),
        ("K262", f"exec {TRAIN}"),
        ("K263", f"{TRAIN} # fast"),
    ],
)
def test_a_script_that_writes_a_file_needs_only_the_marker(code: str, script: str) -> None:
    assert codes(edited(shell(script, kind="File"))) & TRAPS == ({code} if code else set())


@pytest.mark.parametrize(
    "words",
    [
        ["/usr/bin/env", "bash", "-c", TRAIN],
        ["env", "A=1", "sh", "-c", TRAIN],
        ["timeout", "600", "bash", "-c", TRAIN],
        ["bash", "-o", "pipefail", "-c", TRAIN],
        ["bash", "-euo", "pipefail", "-c", TRAIN],
        ["dash", "-c", TRAIN],
        ["/bin/zsh", "-c", TRAIN],
        ["bash", "-lc", TRAIN],
        ["/bin/bash", "-c", TRAIN],
    ],
)
def test_a_shell_that_is_not_recognised_runs_its_first_word_alone(words: list[str]) -> None:
    assert codes(edited({f"{MAIN}.command": words})) & TRAPS == {"K233"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", [*TRAIN.split()]),
        ("", ["bash", "run.sh", *TRAIN.split()]),
        ("", [*TRAIN.split(), "--note='first try'"]),
        ("K242", [*TRAIN.split(), "--note=first try"]),
        ("K242", [*TRAIN.split(), '--note="a"']),
        ("K242", [*TRAIN.split(), '--config={"a": 1}']),
        ("K242", [*TRAIN.split(), ""]),
        ("K242", [*TRAIN.split(), "*.csv"]),
        ("K260", [*TRAIN.split(), "it's"]),
        ("K260", ["python", "-c", "print(1)", *TRAIN.split()]),
        ("K263", [*TRAIN.split(), "#1"]),
    ],
)
def test_words_that_a_shell_reads_otherwise_are_found(code: str, words: list[str]) -> None:
    found = codes(edited({f"{MAIN}.command": words})) & TRAPS
    assert found <= ({code, "K242"} if code else set())
    assert code in found or not code


def test_a_finding_of_a_script_is_where_the_script_stands() -> None:
    (found,) = [f for f in findings(edited(shell(f"{TRAIN}\n"))) if f.code == "K261"]
    assert found.field.endswith("containers[0].args[0]")


@pytest.mark.parametrize(
    ("header", "fixed"),
    [("|", "|-"), (">", ">-"), ("|+", "|-"), (">2", ">-2"), ("|  # a script", "|-  # a script")],
)
def test_fix_takes_the_line_break_off_a_block(header: str, fixed: str) -> None:
    text = block_experiment(header)
    done, findings_fixed = apply_fixes(text, lambda text: lint_text(text, "a.yaml"))
    assert done == block_experiment(fixed)
    assert {finding.code for finding in findings_fixed} == {"K261"}


def block_experiment(header: str) -> str:
    """Return the example with its command as a script in a block of text."""
    text = example_experiment()
    start = text.index("command:")
    column = start - text.rfind("\n", 0, start) - 1
    lines = ["command: [sh, -c]", "args:", f"  - {header}"]
    flags = ["maxDepth", "maxFeatures", "splitBy"]
    lines.append("    python -m trainer " + " ".join(f"${{trialParameters.{f}}}" for f in flags))
    return text[:start] + ("\n" + " " * column).join(lines) + "\n"
