"""A promoter that is stopped anywhere, by SIGKILL or a disk, leaves what repair can settle."""

import os
from collections.abc import Callable
from itertools import product

from support.promotion.crash_points import FAULTS, STORIES, stop_at_every_point
from support.promotion.promotions import memory_folder

USUAL = ("promotion:kill",)
ALL = tuple(f"{story}:{fault}" for story, fault in product(STORIES, FAULTS))


def test_whatever_stops_a_promoter_at_any_point_repair_settles_it(
    record_property: Callable[[str, object], None],
) -> None:
    chosen = ALL if os.environ.get("TUNEGATE_TEST_CRASHES") == "all" else USUAL
    with memory_folder() as folder:
        points = stop_at_every_point(folder, chosen)
    assert min(points.values()) > 10, points
    stories = ", ".join(f"{name} {n}" for name, n in points.items())
    record_property("figure", f"{sum(points.values())} points ({stories})")
