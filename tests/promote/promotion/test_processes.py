"""Real processes: killed at each step, and two at once."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.patience import patience
from support.promotion.promotions import PromotionSite, promoting_verdict

from registry.package import ModelPackage

TESTS = Path(__file__).parents[2]
ROUNDS = 12


@contextmanager
def promoter(root: Path, *step: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a promoter's process; it is ready when this returns."""
    with subprocess.Popen(
        [sys.executable, "-m", "support.promotion.promoter_process", str(root), *step],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TESTS,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


def tell(
    process: "subprocess.Popen[str]", folder: str, package: ModelPackage, over: ModelPackage | None
) -> None:
    assert process.stdin
    process.stdin.write(
        json.dumps([folder, str(package.path), str(over.path) if over else None]) + "\n"
    )
    process.stdin.flush()


def site_with(folder: Path, package: ModelPackage | None) -> PromotionSite:
    """Return a site with this package in production."""
    site = PromotionSite(folder)
    if package:
        site.promoter().promote(package, promoting_verdict(package, None))
    return site


@pytest.mark.parametrize(
    "step", ["copying", "add", "create", "pointing", "point", "smoke", "close"]
)
def test_a_promoter_that_is_killed_leaves_nothing_that_repair_cannot_settle_at_once(
    tmp_path: Path, toys: list[ModelPackage], step: str
) -> None:
    a, b, c = toys
    site = site_with(tmp_path, a)
    with promoter(tmp_path, step) as process:
        tell(process, ".", b, a)
        assert process.wait(patience(60)) == -signal.SIGKILL
    site.promoter().repair("toy")  # no lease to wait for: the owner is dead
    finished = step in {"point", "smoke", "close"}
    site.assert_settled(b if finished else a)
    site.promoter().promote(c, promoting_verdict(c, b if finished else a))
    site.assert_settled(c)
    left = [
        path.name
        for path in (site.store.root / "models").iterdir()
        if not path.name.startswith(".")
    ]
    assert set(left) <= {a.digest, b.digest, c.digest}


@pytest.mark.parametrize("first", [True, False])
def test_of_two_promoters_at_once_exactly_one_wins(
    tmp_path: Path,
    toys: list[ModelPackage],
    first: bool,  # noqa: FBT001
) -> None:
    a, b, c = toys
    champion = None if first else a
    with ExitStack() as stack:
        pair = [stack.enter_context(promoter(tmp_path)) for _ in range(2)]
        for number in range(ROUNDS):
            site = site_with(tmp_path / str(number), champion)
            for process, package in zip(pair, (b, c), strict=True):
                tell(process, str(number), package, champion)
            ends = [process.stdout.readline().strip() for process in pair if process.stdout]
            assert sorted(ends) in (["Conflict", "live"], ["InFlight", "live"])
            site.assert_settled((b, c)[ends.index("live")])
            assert site.states() == ["live"] * (1 if first else 2)
        for process in pair:
            assert process.stdin
            process.stdin.close()
