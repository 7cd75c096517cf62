"""What the machine lacks; images lack parts on purpose."""

from pathlib import Path

import pytest

import tunegate.workspace as workspaces
from katib.diagnosis.pod_causes import Cause
from registry.sqlite import SqliteLedger
from tunegate.doctor import machine
from tunegate.settings import Settings
from tunegate.workspace import Workspace


class EndingLedger(SqliteLedger):
    """A ledger whose server says when it stops to serve what it was asked for."""

    sunset = "Thu, 29 Apr 2027 00:00:00 GMT"


def test_the_day_on_which_a_registrys_api_ends_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workspaces, "open_ledger", lambda _: EndingLedger(tmp_path / "ledger.db"))
    found = machine.examine_machine(Workspace(Settings(state=tmp_path)))
    (cause,) = [cause for cause in found if cause.name == "registry"]
    assert EndingLedger.sunset in cause.evidence
    assert not cause.ok


def extras(folder: Path) -> list[Cause]:
    workspace = Workspace(Settings(state=folder))
    found = machine.examine_machine(workspace)
    return [cause for cause in found if cause.name.startswith("extra ")]


@pytest.fixture(autouse=True)
def _without_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "EXTRAS", {"serving": ("no_such_package",)})


def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    (cause,) = extras(tmp_path)
    assert (cause.ok, cause.fix) == (False, "pip install 'tunegate[serving]'")


def test_in_an_image_a_missing_extra_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TUNEGATE_IMAGE", "promote")
    (cause,) = extras(tmp_path)
    assert (cause.ok, cause.evidence) == (True, "not in the image promote")
