"""A worse or equal candidate is kept out, a truly better one gets in; all with real fits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import environment, tunegate

from registry.sqlite import SqliteLedger

RECIPES = {
    "mediocre": ("--max-depth=3", "--seed=1"),
    "equal": ("--max-depth=3", "--seed=2"),
    "worse": ("--max-depth=1", "--seed=1"),
    "better": ("--max-depth=none", "--max-features=0.6", "--seed=1"),
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    for name, flags in RECIPES.items():
        words = [
            "-m",
            "trainer",
            "--data=boston",
            "--n-estimators=30",
            *flags,
            f"--output={folder / name}",
        ]
        subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment())
    return {name: folder / name for name in RECIPES}


@pytest.fixture
def state(packages: dict[str, Path], tmp_path: Path) -> Path:
    """Return a state folder whose champion is mediocre; the defaults would not let it in."""
    lenient = {"TUNEGATE_GATE__P_HOLDOUT": "0"}
    done = tunegate("promote", "--package", packages["mediocre"], "--state", tmp_path, env=lenient)
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.parametrize(
    ("name", "code"), [("worse", 10), ("equal", 10), ("mediocre", 10), ("better", 0)]
)
def test_only_a_truly_better_candidate_gets_in(
    state: Path, packages: dict[str, Path], name: str, code: int
) -> None:
    done = tunegate("promote", "--package", packages[name], "--state", state, "--json")
    assert done.returncode == code, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["verdict"] == {10: "keep", 0: "promote"}[code]
    history = SqliteLedger(state / "ledger.db").history("boston")
    assert len(history) == (2 if code == 0 else 1)
    assert history[-1].state == "live"


def test_a_dry_run_decides_and_changes_nothing(state: Path, packages: dict[str, Path]) -> None:
    done = tunegate(
        "promote", "--package", packages["better"], "--state", state, "--dry-run", "--json"
    )
    assert json.loads(done.stdout)["verdict"] == "promote"
    assert len(SqliteLedger(state / "ledger.db").history("boston")) == 1


def test_a_held_candidate_waits_for_approval_then_rolls_back(
    state: Path, packages: dict[str, Path]
) -> None:
    trial = state / "store" / "trials" / "by-hand"
    trial.parent.mkdir(parents=True, exist_ok=True)
    env = {"KATIB_TRIAL_NAME": "by-hand"}
    words = [
        "-m",
        "trainer",
        "--data=boston",
        "--n-estimators=30",
        "--max-features=0.6",
        f"--output={trial}",
    ]
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment(env))
    manual = {"TUNEGATE_GATE__APPROVAL": "manual"}
    held = tunegate("promote", "--trial", "by-hand", "--state", state, env=manual)
    assert held.returncode == 11
    assert "waits for `tunegate approve`" in held.stderr
    approved = tunegate("approve", "--state", state, env=manual)
    assert approved.returncode == 0, approved.stderr
    nothing = tunegate("approve", "--state", state, env=manual)
    assert nothing.returncode == 1
    assert "nothing waits for approval" in nothing.stderr
    back = tunegate("rollback", "--state", state, "--reason", "a drill", "--json")
    assert back.returncode == 0, back.stderr
    entries = SqliteLedger(state / "ledger.db").history("boston")
    assert [entry.promotion.kind for entry in entries] == ["first", "promotion", "rollback"]
    assert entries[2].promotion.sha256 == entries[0].promotion.sha256
    assert entries[2].promotion.reasons == ("a drill",)
    details = json.loads((state / "deploy_details.json").read_bytes())
    assert details["old_model"]["version"] == "promotion-0002"
    assert details["new_model"] is None
    assert details["prod_model"]["version"] == "promotion-0003"
    assert (details["verdict"], details["reasons"]) == (None, ["a drill"])


def test_a_verdict_is_the_same_to_the_byte(state: Path, packages: dict[str, Path]) -> None:
    first, second = (
        tunegate("gate", "--package", packages["better"], "--state", state, "--json").stdout
        for _ in range(2)
    )
    assert first == second
    assert json.loads(first)["verdict"] == "promote"


def test_a_first_model_worse_than_the_librarys_defaults_is_refused(
    packages: dict[str, Path], tmp_path: Path
) -> None:
    done = tunegate("promote", "--package", packages["mediocre"], "--state", tmp_path)
    assert done.returncode == 12
    assert "default recipe" in done.stderr
    assert not SqliteLedger(tmp_path / "ledger.db").history("boston")
