"""Settings that would do harm later are refused at the start."""

from pathlib import Path

import pytest

from tunegate.errors import UsageError
from tunegate.settings import load_settings


@pytest.mark.parametrize("owner", ["job:", ":"])
def test_an_owner_without_a_name_is_refused(owner: str) -> None:
    """An old cluster makes that of a missing label: every Job would be every other's heir."""
    with pytest.raises(UsageError, match=r"owner: .*nobody"):
        load_settings(owner=owner)


@pytest.mark.parametrize("owner", ["", "job:7c9e6679", "me"])
def test_other_owners_are_taken(owner: str) -> None:
    assert load_settings(owner=owner).owner == owner


@pytest.mark.parametrize(
    "url", ["localhost:8000", "http://", "http://[::1", "http://api:port", "ftp://api", "//api"]
)
def test_an_address_that_no_smoke_test_can_reach_is_refused(url: str) -> None:
    """Before anything is promoted, too."""
    with pytest.raises(UsageError, match="url: "):
        load_settings(url=url)


@pytest.mark.parametrize(
    "url", ["", "http://api-replicas:8000", "https://predict.example.com/v1", "http://[::1]:8000"]
)
def test_other_addresses_are_taken(url: str) -> None:
    assert load_settings(url=url).url == url


@pytest.mark.parametrize("content", [b"", b"\n", "clé".encode(), b"\xff", b"one\ntwo"])
def test_a_key_that_no_header_can_carry_is_refused(content: bytes, tmp_path: Path) -> None:
    """Before anything is promoted: the smoke test would fail amid a promotion."""
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="API key"):
        _ = load_settings(api_key=file).key


def test_a_key_is_read_without_the_line_break_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("secret\n")
    assert load_settings(api_key=file).key == "secret"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name for itself, within the gate's and the server's too."""
    (empty / "tunegate.toml").write_text(
        'model = "file"\nport = 1\n[serving]\nworkers = 2\ndrain = 3\nmax_rows = 4\n'
    )
    monkeypatch.setenv("TUNEGATE_PORT", "5")
    monkeypatch.setenv("TUNEGATE_SERVING__DRAIN", "6")
    monkeypatch.setenv("TUNEGATE_SERVING__MAX_ROWS", "7")
    read = load_settings(serving={"max_rows": 8})
    assert (read.model, read.port) == ("file", 5)
    assert (read.serving.workers, read.serving.drain, read.serving.max_rows) == (2, 6.0, 8)


@pytest.mark.usefixtures("empty")
def test_the_environment_takes_every_kind_of_value(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "STATE": "here/state",
        "INCLUDE": '["B", "C"]',
        "MOUNTS": '{"data": "/mnt/x"}',
        "GATE": '{"mode": "strict-lower", "seed": 3}',
        "GATE__SEED": "4",
        "GATE__ALLOW_NEW_DATA": "true",
        "GATE__CEILING": "12.5",
        "HOST": "[::1]",
        "TIME": "1h30m",
        "UNHEARD_OF": "is somebody else's",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TUNEGATE_{name}", value)
    read = load_settings()
    assert (read.state, read.include, read.mounts) == (
        Path("here/state"),
        ("B", "C"),
        {"data": Path("/mnt/x")},
    )
    gate = read.gate
    assert (gate.mode, gate.seed, gate.allow_new_data, gate.ceiling) == (
        "strict-lower",
        4,
        True,
        12.5,
    )
    assert (read.host, read.time) == ("[::1]", 5400.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "70000", "port: .*65535.*got '70000'"),
        ("CPUS", "two", "cpus: "),
        ("GATE__MODE", "loose", "gate.mode: .*'loose'"),
        ("GATE__NOTHING", "1", "gate: .*nothing"),
        ("GATE__CEILING", "nan", "gate.ceiling: "),
        ("GATE__CEILING", "inf", "gate.ceiling: "),
        ("GATE__MAX_ERROR_RATIO", "inf", "gate.max_error_ratio: "),
        ("MOUNTS", '{"a":', "mounts: "),
        ("SERVING__WORKERS", "0", "serving.workers: "),
        ("SERVING__POLL", "0", "serving.poll: "),
        ("SERVING__FAST_PATH", "perhaps", "serving.fast_path: "),
        ("SERVING__ROOT_PATH", "prices", "serving.root_path: "),
        ("SERVING__ROOT_PATH", "/prices/", "serving.root_path: "),
        ("SERVING__ROOT_PATH", "/v1/prices", "serving: .*paths of its own below /v1/prices"),
        ("SERVING__ORIGINS", '["prices.example"]', "serving.origins"),
        ("SERVING__ORIGINS", '["https://prices.example/page"]', "serving.origins"),
    ],
)
def test_a_wrong_value_is_named(
    name: str, value: str, message: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TUNEGATE_{name}", value)
    with pytest.raises(UsageError, match=message) as refused:
        load_settings()
    assert "tunegate.toml" in refused.value.hint


@pytest.mark.parametrize("content", [b"port = ", b"prot = 1\n", b"\xff", b"[gate]\nmodus = 1\n"])
def test_a_wrong_file_is_refused(content: bytes, empty: Path) -> None:
    (empty / "tunegate.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"tunegate\.toml|prot|modus"):
        load_settings()
