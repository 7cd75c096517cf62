"""What a suggestion costs Katib: CPU time and memory of the service as the number of trials grows.

The real service in a process of its own, asked for one point more at a time in the shipped
Experiment's space, until there are 500 trials; each trial's loss is made up. Then, in the midst of
10,000 trials of which 500 still run, one request for one point and one for 500. Linux only: CPU
time and memory are read from /proc.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from katib import Experiment, read_experiment
from katib.suggestion.messages import KATIB, PACKAGE, message_classes
from katib.suggestion.reading import DISTRIBUTIONS, KINDS, SUCCEEDED

M = message_classes(PACKAGE, KATIB)
MARKS = (10, 50, 100, 200, 500)
FAR = 10_000
PARALLEL = 500
RUNNING = 1  # Katib's number of the condition
Message = Any  # of protobuf, which has no types
SHIPPED = Path(__file__).parents[1] / "manifests" / "experiment.yaml"


@contextmanager
def service(module: str, name: str, method: str) -> Iterator[tuple[int, Any]]:
    """Yield a service's process id and a function that asks it."""
    command = [sys.executable, "-m", module, "--host", "127.0.0.1", "--port", "0"]
    coding = {
        "request_serializer": M[f"{method}Request"].SerializeToString,
        "response_deserializer": M[f"{method}Reply"].FromString,
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        with grpc.insecure_channel(f"127.0.0.1:{line.split()[-1]}") as channel:
            yield process.pid, channel.unary_unary(f"/{PACKAGE}.{name}/{method}", **coding)
        process.terminate()


def message(experiment: Experiment, algorithm: str) -> Message:
    """Return the Experiment as Katib's controller would send it."""
    kinds, distributions = (
        {name: number for number, name in table.items()} for table in (KINDS, DISTRIBUTIONS)
    )
    packed = M["Experiment"](name=experiment.name)
    for parameter in experiment.spec["parameters"]:
        space = dict(parameter["feasibleSpace"])
        space["distribution"] = distributions[space["distribution"]]
        packed.spec.parameter_specs.parameters.add(
            name=parameter["name"],
            parameter_type=kinds[parameter["parameterType"]],
            feasible_space=space,
        )
    packed.spec.objective.type = 1
    packed.spec.objective.objective_metric_name = experiment.metric
    packed.spec.algorithm.algorithm_name = algorithm
    packed.spec.algorithm.algorithm_settings.add(name="random_state", value="4")
    return packed


def told(name: str, assignments: Message, metric: str, rng: np.random.Generator) -> Message:
    """Make a trial of a point."""
    trial = M["Trial"](name=name)
    trial.spec.parameter_assignments.assignments.extend(assignments)
    trial.status.condition = SUCCEEDED
    trial.status.observation.metrics.add(name=metric, value=repr(rng.random()))
    return trial


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Return the resident memory of a process in MiB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024


def main() -> None:
    """Print a row for each number of trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("algorithms", nargs="*", default=["tunegate", "cmaes"])
    experiment = read_experiment(SHIPPED)
    rng = np.random.default_rng(1)
    for algorithm in parser.parse_args().algorithms:
        with service("katib.suggestion", "Suggestion", "GetSuggestions") as (pid, ask):
            print(f"{algorithm}: start {cpu(pid) * 1000:.0f} ms CPU, {resident(pid)} MiB")
            request = M["GetSuggestionsRequest"](
                experiment=message(experiment, algorithm), current_request_number=1
            )
            before = cpu(pid)
            since = 0
            for count in range(1, MARKS[-1] + 1):
                request.total_request_number = count
                point = ask(request).parameter_assignments[0]
                request.trials.append(
                    told(point.trial_name, point.assignments, experiment.metric, rng)
                )
                if count in MARKS:
                    now = cpu(pid)
                    print(
                        f"{count} trials: {(now - before) / (count - since) * 1000:.0f} ms, "
                        f"{resident(pid)} MiB"
                    )
                    before = now
                    since = count
            _far(request, experiment, rng)
            for count in (1, PARALLEL):
                before = cpu(pid)
                request.current_request_number = count
                request.total_request_number = FAR + count
                ask(request)
                text = f"{FAR} trials, {PARALLEL} of them running, {count} more at once"
                print(f"{text}: {cpu(pid) - before:.1f} s, {resident(pid)} MiB", flush=True)


def _far(request: Message, experiment: Experiment, rng: np.random.Generator) -> None:
    """Fill the request up to `FAR` different trials, the last ones still running."""
    space = experiment.parameters
    for number in range(len(request.trials), FAR):
        point = [
            M["ParameterAssignment"](name=p.name, value=p.from_unit(rng.random())) for p in space
        ]
        trial = told(f"{experiment.name}-{number}-bcdfghjk", point, experiment.metric, rng)
        if number >= FAR - PARALLEL:
            trial.status.condition = RUNNING
            del trial.status.observation.metrics[:]
        request.trials.append(trial)


if __name__ == "__main__":
    main()
