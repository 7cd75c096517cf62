"""`--report-folds`: the objective's mean after each fold, on the folds of every trial."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from support.cli import ROOT, environment

from katib.metrics_collector import MetricsReader
from registry.package import load_package
from trainer.__main__ import main
from trainer.scoring.report_times import ReportTimes

Capture = pytest.CaptureFixture[str]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"
FEW = ["--n-estimators", "5"]


def printed(capsys: Capture, *argv: str) -> list[tuple[str, float]]:
    assert main([*argv, *FEW]) == 0
    lines = capsys.readouterr().out.splitlines()
    matches = [re.fullmatch(rf"(?:{TIME} )?([a-z_0-9]+)=(\d+\.\d+)", line) for line in lines]
    return [(match[1], float(match[2])) for match in matches if match] if all(matches) else []


@pytest.mark.parametrize(("data", "metric"), [("boston", "mse"), ("iris", "log_loss")])
def test_each_line_is_the_mean_over_the_folds_so_far_and_the_end_is_as_without(
    capsys: Capture, tmp_path: Path, data: str, metric: str
) -> None:
    usual = printed(capsys, "--data", data)
    lines = printed(capsys, "--data", data, "--report-folds", "--output", str(tmp_path / "package"))
    folds = load_package(tmp_path / "package").manifest.cross_validation.folds
    means = np.cumsum(folds) / np.arange(1, 6)
    assert [name for name, _ in lines[: -len(usual)]] == [metric] * 4
    assert [value for _, value in lines[:5]] == pytest.approx(means, rel=1e-12)
    assert lines[-len(usual) :] == usual


def test_a_report_can_be_read_before_the_trial_ends(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "trainer",
        "--data",
        "boston",
        "--n-estimators",
        "10000",
        "--report-folds",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout
        first = process.stdout.readline()
        running = process.poll() is None
        process.kill()
    assert re.match(f"{TIME} mse=", first)
    assert running


def test_each_report_has_a_time_of_its_own_though_the_clock_stands_still() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    times = ReportTimes(lambda: moment)
    stamped = [times.stamp(f"mse={number}") for number in range(3)]
    assert stamped[0] == "2026-01-01T00:00:00.000000+00:00 mse=0"
    reader = MetricsReader(("mse",))
    reports = [report for line in stamped for report in reader.feed(line)]
    assert [report.value for report in reports] == ["0", "1", "2"]
    assert len({report.time for report in reports}) == 3


def test_without_folds_a_line_is_the_metric_alone(capsys: Capture) -> None:
    assert main(["--data", "iris", *FEW]) == 0
    assert re.match(r"log_loss=", capsys.readouterr().out)
