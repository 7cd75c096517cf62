"""What `tunegate serve` says as it starts, and what it does not import to serve."""

import re
from pathlib import Path

import httpx
from support.cli import free_port, running
from support.registry.package_variants import tiny
from support.serving.servers import put

from api.limits import Limits
from api.server.run import Options
from registry import ModelStore
from tunegate.commands.serve import server_options
from tunegate.settings import load_settings

VERBOSE = {"PYTHONVERBOSE": "1"}  # each module that is imported is named on stderr
ELSEWHERE = {
    "httpx", "katib", "pandas", "promote.deploy_details", "promote.gate", "promote.promotion",
    "promote.verdict", "rich", "sklearn", "sqlite3", "trainer", "tunegate.commands.promote",
    "tunegate.console", "tunegate.error_report", "tunegate.workspace", "yaml",
}  # fmt: skip


def test_a_model_that_is_named_twice_is_served_once_and_waited_for(tmp_path: Path) -> None:
    also = ("--also", "boston", "--also", "iris", "--also", "iris")
    with running("serve", "--state", tmp_path, "--port", free_port(), *also) as command:
        command.wait_for("nothing of iris is in production yet: waiting")
        assert "serving boston, iris at " in command.output
        assert command.output.count(": waiting") == 2


def test_it_serves_without_what_only_other_commands_need(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "store")
    port = free_port()
    put(store, tiny(tmp_path / "toy", low=1.0))
    words = ("serve", "--model", "toy", "--store", store.root, "--port", port)
    with running(*words, env=VERBOSE) as command:
        command.wait_for("serving promotion 1 of toy")
        assert (
            httpx.post(f"http://127.0.0.1:{port}/predict", json={"x": 0.25}).json()["predicted_y"]
            == 1.0
        )
        imported = set(re.findall(r"^import '([\w.]+)' #", command.output, re.MULTILINE))
    assert {"numpy", "tunegate.commands.serve", "promote.policy"} <= imported
    assert not imported & ELSEWHERE


def test_a_model_with_a_name_still_has_a_mistyped_data_set_said_first(tmp_path: Path) -> None:
    with running("serve", "--model", "toy", "--data", "bostn", "--state", tmp_path) as command:
        assert command.wait() == 2
        assert "bostn" in command.output


def test_what_is_not_set_keeps_the_servers_own_default() -> None:
    made = server_options(load_settings(), "toy")
    own = Options(made.store, "toy")
    assert (made.limits, made.poll, made.fast_path) == (Limits(), own.poll, own.fast_path)


def test_what_is_set_reaches_the_server() -> None:
    serving = {
        "max_body": 1,
        "max_rows": 2,
        "max_requests": 3,
        "body_seconds": 4.0,
        "poll": 5.0,
        "fast_path": False,
        "root_path": "/prices",
        "origins": ["https://prices.example"],
        "proxies": ["10.0.0.0/8"],
    }
    made = server_options(load_settings(serving=serving), "toy")
    assert made.limits == Limits(body=1, rows=2, requests=3, seconds=4.0)
    assert (made.poll, made.fast_path) == (5.0, False)
    assert (made.root_path, made.origins) == ("/prices", ("https://prices.example",))
    assert made.proxies == ("10.0.0.0/8",)
