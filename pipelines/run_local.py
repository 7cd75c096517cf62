"""Run a pipeline on this machine: python -m pipelines.run_local NAME [KEY=VALUE|KEY=@FILE...].

No Kubeflow is needed: each component is a process of this Python; artifacts go to
`build/pipelines`. The last line of the output is the pipeline's result as JSON.
"""

import json
import sys
from pathlib import Path

from kfp import local

from pipelines.compile import PIPELINES

ROOT = Path(__file__).resolve().parent.parent


def main(name: str, arguments: dict[str, str]) -> None:
    """Run a pipeline and print what it returns: a text, or an artifact's metadata."""
    pipeline = PIPELINES[name]
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(ROOT / "build" / "pipelines"),
        raise_on_error=True,
    )
    given = {key: _parse_value(text) for key, text in arguments.items()}
    result = pipeline(**given).output
    print(json.dumps(getattr(result, "metadata", result)))


def _parse_value(text: str) -> str | int:
    """Return a whole number as one, @FILE as the file's text, anything else as it is."""
    if text.startswith("@"):
        return Path(text[1:]).read_text(encoding="utf-8")
    return int(text) if text.isdecimal() else text


if __name__ == "__main__":
    main(sys.argv[1], dict(pair.split("=", 1) for pair in sys.argv[2:]))
