"""The whole path with the real command and real HTTP: tune, gate, promote, serve, smoke; twice."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.cli import descendants_of_session, free_port, running, small_experiment, tunegate

from registry.package import load_package
from registry.sqlite import SqliteLedger
from registry.store import ModelStore


class Pipeline:
    """One state folder that the tests of this module go through in order."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.experiment = small_experiment(
            folder, trees=60
        )  # fewer would lose against the library's defaults
        self.flags = ("--state", self.state, "--port", self.port)

    @property
    def store(self) -> ModelStore:
        return ModelStore(self.state / "store")

    @property
    def ledger(self) -> SqliteLedger:
        return SqliteLedger(self.state / "ledger.db")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def first_run(pipeline: Pipeline) -> Iterator[tuple[int, str, httpx.Response]]:
    """Run for the first time, ask the served model, stop with Ctrl-C."""
    with running("run", pipeline.experiment, *pipeline.flags) as command:
        command.wait_for("Ctrl-C stops")
        pointer = pipeline.store.pointer("boston")
        assert pointer
        row = pipeline.store.open(pointer.sha256).golden.rows[0]
        answer = httpx.post(f"{pipeline.url}/predict", json=row)
        command.signal(signal.SIGINT)
        code = command.wait()
        assert descendants_of_session(command.process.pid) == []
        yield code, command.output, answer


def test_a_first_run_promotes_serves_and_stops_cleanly(
    first_run: tuple[int, str, httpx.Response],
) -> None:
    code, output, _ = first_run
    assert code == 0
    assert "promote: first model" in output
    assert "curl -s http" in output
    assert output.splitlines()[-1] == "stopped"


def test_the_served_answer_is_the_promoted_packages(
    pipeline: Pipeline, first_run: tuple[int, str, httpx.Response]
) -> None:
    _, _, answer = first_run
    entry = pipeline.ledger.history("boston")[0]
    package = pipeline.store.open(entry.promotion.sha256)
    assert answer.status_code == 200
    assert answer.headers["X-Model-Version"] == package.digest
    assert answer.json()["predicted_price"] == package.golden.predictions[0][0]
    assert entry.state == "live"
    assert "smoke test passed" in (entry.outcome.note if entry.outcome else "")


def test_nothing_listens_after_the_end(
    pipeline: Pipeline, first_run: tuple[int, str, httpx.Response]
) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{pipeline.url}/healthz")


def test_a_second_run_decides_while_the_server_answers(
    pipeline: Pipeline, first_run: tuple[int, str, httpx.Response]
) -> None:
    before = pipeline.ledger.history("boston")
    codes: list[int] = []
    stop = threading.Event()

    def hammer() -> None:
        with httpx.Client(base_url=pipeline.url) as client:
            while not stop.wait(0.01):  # leave the CPUs to what is tested
                codes.append(client.get("/readyz").status_code)

    with running("serve", *pipeline.flags) as server:
        server.wait_for("serving promotion")
        client = threading.Thread(target=hammer)
        client.start()
        done = tunegate("run", pipeline.experiment, *pipeline.flags, "--no-serve", "--json")
        stop.set()
        client.join()
    verdict = json.loads(done.stdout)
    assert "serving already" in done.stderr
    assert set(codes) == {200}
    assert len(codes) > 10
    assert verdict["champion"]["sha256"] == before[-1].promotion.sha256
    assert verdict["recipe"]["rows"] > 0
    assert done.returncode == {"promote": 0, "keep": 10}[verdict["verdict"]]
    assert len(pipeline.ledger.history("boston")) == len(before) + (verdict["verdict"] == "promote")


def test_details_and_report_are_written(
    pipeline: Pipeline, first_run: tuple[int, str, httpx.Response]
) -> None:
    details = json.loads((pipeline.state / "deploy_details.json").read_text())
    assert details["prod_model"]["version"].startswith("promotion-")
    assert "mse" in details["prod_model"]
    report = (pipeline.state / "report.html").read_text()
    for title in (
        "Optimisation history",
        "Parameter importances",
        "Parallel coordinates",
        "Residuals",
        "Checks",
    ):
        assert title in report
    verdict = json.loads((pipeline.state / "verdicts" / "latest.json").read_bytes())
    for each in verdict["finalists"]:
        role = ", the candidate" if each["trial"] == verdict["candidate"]["trial"] else ""
        cells = (each["trial"] + role, f"{each['search_score']:.4g}", f"{each['loss']:.4g}")
        assert f"<tr><td>{'</td><td>'.join(cells)}</td></tr>" in report
    assert report.count(", the candidate</td>") == 1


def test_history_smoke_doctor_and_report_answer(
    pipeline: Pipeline, first_run: tuple[int, str, httpx.Response]
) -> None:
    history = json.loads(tunegate("history", "--state", pipeline.state, "--json").stdout)
    assert history[0]["promotion"]["kind"] == "first"
    with running("serve", *pipeline.flags) as server:
        server.wait_for("serving promotion")
        smoke = tunegate("smoke", "--state", pipeline.state, "--url", pipeline.url, "--json")
        doctor = tunegate("doctor", *pipeline.flags)
    assert smoke.returncode == 0
    assert all(check["passed"] for check in json.loads(smoke.stdout)["checks"])
    assert doctor.returncode == 0, doctor.stderr
    without = tunegate("smoke", "--state", pipeline.state, "--url", pipeline.url, "--timeout", "0")
    assert without.returncode == 30


def test_every_trials_package_can_be_loaded(
    pipeline: Pipeline, first_run: tuple[int, str, httpx.Response]
) -> None:
    packages = [load_package(path) for path in (pipeline.state / "store" / "trials").iterdir()]
    assert len(packages) >= 4
    assert {package.manifest.provenance.experiment for package in packages} == {"boston-forest"}
