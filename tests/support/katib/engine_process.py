"""Run one Experiment and print how it ended: `engine_process.py FILE FOLDER OPTIONS`."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

from katib.experiment import read_experiment
from katib.local.engine import Engine
from katib.local.job_template import PathMap


async def _run(engine: Engine) -> str:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return (await engine.run()).end


def main(file: str, folder: str, options: str) -> None:
    run = Path(folder)
    choices = {"cpus": 2, **json.loads(options)}
    engine = Engine(read_experiment(Path(file)), run, PathMap(run / "volumes"), **choices)
    end = asyncio.run(_run(engine))
    # Not getrusage: what it says of the peak is inherited from whoever started this process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index] # Linux has the line
    sys.stdout.write(json.dumps({"end": end, "peak_kib": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
