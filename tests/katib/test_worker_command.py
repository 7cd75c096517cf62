"""What Katib's webhook makes of commands; the texts are those of Katib v0.19's own tests' kind."""

import pytest

from katib.worker_command import NoCommandToWrap, wrap_command

MARK = "&& echo completed > /var/log/katib/$$.pid"
REDIRECTION = "1>/var/log/katib/metrics.log 2>&1"


@pytest.mark.parametrize(
    ("words", "shell", "text"),
    [
        (["python", "x.py", "--a=b c"], "sh", f"python x.py --a=b c {REDIRECTION} {MARK}"),
        (["sh", "-c", "python x.py"], "sh", f"python x.py {REDIRECTION} {MARK}"),
        (["bash", "-c", "a", "b", "c"], "bash", f"a b c {REDIRECTION} {MARK}"),
        (["bash", "-c", "a\n"], "bash", f"a\n {REDIRECTION} {MARK}"),
        (["/bin/sh", "-c", "a b"], "sh", f"/bin/sh -c a b {REDIRECTION} {MARK}"),
        (["sh", "run.sh"], "sh", f"sh run.sh {REDIRECTION} {MARK}"),
        (
            ["bash", "-o", "pipefail", "-c", "a"],
            "sh",
            f"bash -o pipefail -c a {REDIRECTION} {MARK}",
        ),
    ],
)
def test_words_are_joined_and_redirection_and_marker_are_appended(
    words: list[str], shell: str, text: str
) -> None:
    command = wrap_command(words, output="/var/log/katib/metrics.log", folder="/var/log/katib")
    assert (command.shell, command.text) == (shell, text)


def test_other_collectors_get_the_marker_alone() -> None:
    command = wrap_command(["a"], output="", folder="/metrics")
    assert command.text == "a && echo completed > /metrics/$$.pid"


def test_the_webhook_fails_on_a_shell_without_arguments() -> None:
    with pytest.raises(NoCommandToWrap):
        wrap_command(["sh"], output="", folder="/metrics")
