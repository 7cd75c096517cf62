"""Stop a promoter at every point of a promotion, rollback or repair, and look at what it left.

`stop_at_every_point` runs this module as a program. For the first point, the second, and so on it
forks a child on a copy of the same site, until one child passes them all. A point is a system call
on files, an fsync or an SQL statement. There the child is killed (SIGKILL), or the call fails as on
a full or a broken disk. The program then checks the site before and after `repair`.
"""

import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from promote.errors import PromoteError
from registry.errors import RegistryError
from registry.package import ModelPackage
from support.patience import patience
from support.promotion.crashes import PYTHON, environment, watch_points
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import tiny

LEASE_OVER = 601  # seconds
FAULTS: dict[str, int] = {
    "kill": 0,
    "full disk": errno.ENOSPC,
    "broken disk": errno.EIO,
    "read-only disk": errno.EROFS,
    "no descriptor left": errno.EMFILE,
}
REFUSED = 1  # exit code of a child whose act raised an error of ours
UNTYPED = 2  # of one whose act raised another
REACHED = 16  # is added where the fault happened
Act = Callable[[PromotionSite, list[ModelPackage]], object]


@dataclass(frozen=True)
class Story:
    """What had happened before, what is interrupted, and who may be champion afterwards."""

    before: Act
    act: Act
    champions: tuple[int | None, ...]
    smoke_passes: bool = True


def promote(new: int, old: int | None = None) -> Act:
    """Return a promotion of the package of this index over another."""

    def act(site: PromotionSite, toys: list[ModelPackage]) -> object:
        over = None if old is None else toys[old]
        return site.promoter().promote(toys[new], promoting_verdict(toys[new], over))

    return act


def two_promotions(site: PromotionSite, toys: list[ModelPackage]) -> None:
    """Promote the first package, and the second over it."""
    promote(0)(site, toys)
    promote(1, 0)(site, toys)


def lost_pointer(site: PromotionSite, toys: list[ModelPackage]) -> None:
    """Promote two packages, and lose the pointer."""
    two_promotions(site, toys)
    site.store.pointer_path(site.model).unlink()


def repair_it(site: PromotionSite, _: list[ModelPackage]) -> None:
    """Repair the site."""
    site.promoter().repair(site.model)


STORIES: dict[str, Story] = {
    "first promotion": Story(lambda *_: None, promote(0), (None, 0)),
    "promotion": Story(promote(0), promote(1, 0), (0, 1)),
    "failed smoke test": Story(promote(0), promote(1, 0), (0,), smoke_passes=False),
    "rollback": Story(two_promotions, lambda site, _: site.promoter().rollback("toy"), (1, 0)),
    "repair": Story(lost_pointer, repair_it, (1,)),
}


def stop_at_every_point(folder: Path, stories: Sequence[str]) -> dict[str, int]:
    """Return the number of points by story; each left a site that repair settled.

    Args:
        folder: an empty folder to work in.
        stories: each a key of `STORIES`, a colon, and a key of `FAULTS`.
    """
    command = [*PYTHON, "support.promotion.crash_points", str(folder), *stories]
    done = subprocess.run(
        command,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=patience(300),
    )
    assert done.returncode == 0, done.stderr[-4000:]
    counted: dict[str, int] = json.loads(done.stdout)
    return counted


def main(folder: Path, stories: Sequence[str]) -> None:
    """Run stories with faults."""
    toys = [tiny(folder / f"toy-{name}", low=low) for name, low in (("a", 1.0), ("b", 3.0))]
    counted = {}
    gc.disable()  # a child that collected would copy the parent's memory
    for each in stories:
        name, _, fault = each.partition(":")
        template = folder / "template"
        template.mkdir()
        STORIES[name].before(PromotionSite(template), toys)
        counted[each] = sum(1 for _ in _stopped_children(folder, STORIES[name], fault, toys))
        shutil.rmtree(template)
    sys.stdout.write(json.dumps(counted))


def _stopped_children(
    folder: Path, story: Story, fault: str, toys: list[ModelPackage]
) -> Iterator[int]:
    """Yield each point at which a child was stopped, after what it left was checked."""
    for point in count(1):
        place = folder / "place"
        shutil.copytree(folder / "template", place)
        child = os.fork()
        if child == 0:
            os._exit(_act_until(point, FAULTS[fault], story, place, toys))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        where = f"{fault} at point {point}, exit code {code}: {story}"
        assert code in {-signal.SIGKILL, 0, REFUSED, REACHED, REACHED | REFUSED}, where
        reported = code in {0, REACHED}
        _check_site(PromotionSite(place), story, toys, where, reported=reported)
        shutil.rmtree(place)
        if code in {0, REFUSED}:
            return
        yield point


def _act_until(point: int, code: int, story: Story, place: Path, toys: list[ModelPackage]) -> int:
    """Act until the fault at a point; return this process' exit code."""
    passed = 0
    reached = 0

    def stop() -> None:
        nonlocal passed, reached
        passed += 1
        if passed != point:
            return
        if not code:
            os.kill(os.getpid(), signal.SIGKILL)
        reached = REACHED
        raise OSError(code, os.strerror(code))

    site = PromotionSite(place)
    site.smoke.passes = story.smoke_passes
    watch_points(stop, statements=not code)
    try:
        story.act(site, toys)
    except (RegistryError, PromoteError):
        return reached | REFUSED
    except Exception:  # noqa: BLE001 - told by the exit code
        traceback.print_exc()
        return reached | UNTYPED
    return reached


def _check_site(
    site: PromotionSite, story: Story, toys: list[ModelPackage], where: str, *, reported: bool
) -> None:
    """Check that servers find a whole package before repair, and the ledger's champion after it."""
    pointer = site.pointed_digest()
    assert pointer is None or site.store.open(pointer), where
    site.clock.forward(LEASE_OVER)
    site.smoke.passes = story.smoke_passes
    site.promoter().repair(site.model)
    digest = site.champion_digest()
    found = next((i for i, toy in enumerate(toys) if toy.digest == digest), None)
    assert found in story.champions, where
    if reported:
        assert found == story.champions[-1], where
    site.assert_settled(None if found is None else toys[found])
    numbers = [entry.promotion.number for entry in site.ledger.history(site.model)]
    assert numbers == list(range(1, len(numbers) + 1)), where


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
