"""Settings that would do harm later are refused at the start."""

from pathlib import Path

import pytest

from tunegate.errors import UsageError
from tunegate.settings import load_settings


@pytest.mark.parametrize("owner", ["job:", ":"])
def test_an_owner_without_a_name_is_refused(owner: str) -> None:
    """What an old cluster makes of a label that it does not have: then every Job would be every other's heir."""
    with pytest.raises(UsageError, match=r"owner: .*nobody"):
        load_settings(owner=owner)


@pytest.mark.parametrize("owner", ["", "job:7c9e6679", "me"])
def test_other_owners_are_taken(owner: str) -> None:
    assert load_settings(owner=owner).owner == owner


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "http://[::1", "http://api:port", "ftp://api", "//api"])
def test_an_address_that_no_smoke_test_can_reach_is_refused(url: str) -> None:
    """Before anything is promoted, too."""
    with pytest.raises(UsageError, match="url: "):
        load_settings(url=url)


@pytest.mark.parametrize("url", ["", "http://api-replicas:8000", "https://predict.example.com/v1", "http://[::1]:8000"])
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
