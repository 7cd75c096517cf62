"""A promoter in a process of its own: `python -m support.promotion.promoter_process ROOT [STEP]`.

Each line on stdin is a JSON list [root below ROOT, package, champion's package or null]; the answer
is how its promotion ended. With STEP, the process is killed there; "copying" and "pointing" are in
the middle of "add", "point".
"""

import json
import sys
from pathlib import Path

import registry.atomic_files
import registry.store
from promote import PromoteError
from registry import RegistryError
from registry.package import load_package
from support.promotion.faults import crashing_promoter, kill
from support.promotion.promotions import PromotionSite, promoting_verdict


def main(root: str, step: str = "") -> None:
    """Promote as told, one line at a time."""
    if step == "copying":
        registry.store._copy_package = lambda source, folder: (
            (folder / "model.npz").write_bytes(b"half"),
            kill(),
        )
    if step == "pointing":
        registry.store.write_atomic = lambda target, _: (
            target.with_name(".half").write_bytes(b'{"mo'),
            kill(),
        )
    answer("ready")
    for line in sys.stdin:
        folder, package, champion = json.loads(line)
        answer(promote(Path(root) / folder, package, champion, step))


def answer(text: str) -> None:
    """Say it at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def promote(root: Path, package: str, champion: str | None, step: str) -> str:
    """Return the state of the promotion, or the name of the error."""
    site = PromotionSite(root)
    candidate = load_package(Path(package))
    over = load_package(Path(champion)) if champion else None
    try:
        return (
            crashing_promoter(site, step, by=kill)
            .promote(candidate, promoting_verdict(candidate, over))
            .state
        )
    except (RegistryError, PromoteError) as error:
        return type(error).__name__


if __name__ == "__main__":
    main(*sys.argv[1:])
