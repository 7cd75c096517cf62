"""What a rule of early stopping costs Katib as the number of trials grows: time and memory.

The real service in a process of its own reads five reports of each trial from a database that
answers at once, in this process: so the time is also that of a database in Python. Linux only: CPU
time and memory are read from /proc.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np

from benchmarks.suggestion import SHIPPED, M, Message, cpu, message, resident, service, told
from katib import read_experiment
from katib.suggestion.messages import PACKAGE

COUNTS = (20, 100, 500, 2_000, 10_000)
REPORTS = 5


@contextmanager
def database(metric: str) -> Iterator[str]:
    """Have a database with the same reports of every trial; yields its address."""
    log = M["ObservationLog"]()
    for step in range(REPORTS):
        log.metric_logs.add(metric={"name": metric, "value": f"{0.5 + step}"})
    reply = M["GetObservationLogReply"](observation_log=log).SerializeToString()
    handler = grpc.unary_unary_rpc_method_handler(lambda _, __: reply)
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                f"{PACKAGE}.DBManager", {"GetObservationLog": handler}
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def request_for(count: int, address: str) -> Message:
    """Return Katib's request after so many trials."""
    experiment = read_experiment(SHIPPED)
    rng = np.random.default_rng(1)
    packed = message(experiment, "tpe")
    packed.spec.early_stopping.algorithm_name = "tunegate"
    points = [
        M["ParameterAssignment"](name=p.name, value=p.from_unit(0.5)) for p in experiment.parameters
    ]
    trials = [
        told(f"{experiment.name}-{number}", points, experiment.metric, rng)
        for number in range(count)
    ]
    return M["GetEarlyStoppingRulesRequest"](
        experiment=packed, trials=trials, db_manager_address=address
    )


def main() -> None:
    """Print a line for each number of trials."""
    metric = read_experiment(SHIPPED).metric
    serving = service("katib.earlystopping", "EarlyStopping", "GetEarlyStoppingRules")
    with database(metric) as address, serving as (pid, ask):
        print(f"start {cpu(pid) * 1000:.0f} ms CPU, {resident(pid)} MiB")
        for count in COUNTS:
            request = request_for(count, address)
            before = cpu(pid)
            began = time.perf_counter()
            rules = ask(request).early_stopping_rules
            took = time.perf_counter() - began
            assert len(rules) == 1, "there is a rule after that many trials"
            spent = f"{(cpu(pid) - before) * 1000:.0f} ms of CPU, {took * 1000:.0f} ms"
            print(f"{count} trials: {spent}, {resident(pid)} MiB", flush=True)


if __name__ == "__main__":
    main()
