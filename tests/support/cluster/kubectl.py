"""kubectl, as a person types it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.patience import patience

TIMEOUT = patience(120)


def kubectl(
    *words: str, stdin: str | None = None, check: bool = True, timeout: float = TIMEOUT
) -> str:
    """Run kubectl; returns its stdout, fails with its stderr unless told not to check."""
    done = subprocess.run(
        ["kubectl", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0 or not check, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout


def kubectl_json(*words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(kubectl("get", *words, "-o", "json"))


@contextmanager
def port_forward(target: str, port: int, *, namespace: str) -> Iterator[str]:
    """Reach a Service or pod of the cluster at an address of this machine."""
    command = [
        "kubectl",
        "port-forward",
        "-n",
        namespace,
        target,
        f":{port}",
        "--address",
        "127.0.0.1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        line = process.stdout.readline()
        match = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert match, line + process.stdout.read()
        yield f"http://127.0.0.1:{match[1]}"
    finally:
        process.terminate()
        process.wait(TIMEOUT)
        process.stdout.close()
