"""Whatever happens, in whatever order: one history, and after repair a pointer that follows."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from support.promotion.faults import STEPS, Crash, crashing_promoter
from support.promotion.promotions import PromotionSite, memory_folder, promoting_verdict

from promote import PromoteError
from promote.promotion import Promoter
from registry import Conflict, InFlight, champion, in_flight
from registry.package import ModelPackage

steps = st.sampled_from(["", "", *STEPS])  # "" is a promotion that does not crash
damages = st.sampled_from([b"", b'{"model": "toy", "num', b"\xff", None])


class Production(RuleBasedStateMachine):
    """People promote, roll back and repair; processes crash, pointers get damaged, time passes."""

    def __init__(self, toys: list[ModelPackage]) -> None:
        super().__init__()
        self.toys = {package.digest: package for package in toys}
        self.folder = memory_folder()
        self.site = PromotionSite(self.folder.__enter__())
        self.damaged = False

    @rule(which=st.integers(0, 2), step=steps, fresh=st.booleans())
    def promote(self, which: int, step: str, fresh: bool) -> None:  # noqa: FBT001
        package = list(self.toys.values())[which]
        if fresh:  # after a repair, as the gate should; the verdict may be outdated otherwise
            self._try("", lambda promoter: promoter.repair("toy"))
        over = self.toys.get(self.site.champion_digest() or "")
        if over is not package:
            self._try(
                step, lambda promoter: promoter.promote(package, promoting_verdict(package, over))
            )

    @rule(to=st.none() | st.integers(1, 6), step=steps)
    def roll_back(self, to: int | None, step: str) -> None:
        self._try(step, lambda promoter: promoter.rollback("toy", to=to))

    @rule(force=st.booleans(), step=steps)
    def repair(self, force: bool, step: str) -> None:  # noqa: FBT001
        self._try(step, lambda promoter: promoter.repair("toy", force=force))

    @rule(content=damages)
    def damage_the_pointer(self, content: bytes | None) -> None:
        path = self.site.store.pointer_path("toy")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        self.damaged = True

    @rule(works=st.booleans())
    def the_service_breaks_or_is_mended(self, works: bool) -> None:  # noqa: FBT001
        self.site.smoke.passes = works

    @rule()
    def a_lease_passes(self) -> None:
        self.site.clock.forward(601)

    def _try(self, step: str, act: Callable[[Promoter], object]) -> None:
        try:
            act(crashing_promoter(self.site, step))
        except InFlight:
            assert in_flight(self.site.ledger.history("toy"))
            return
        except (Crash, Conflict, PromoteError):
            pass
        self.damaged = False  # every run repairs the pointer before anything else

    @invariant()
    def the_history_is_one_chain(self) -> None:
        history = self.site.ledger.history("toy")
        assert [entry.promotion.number for entry in history] == list(range(1, len(history) + 1))
        assert "in flight" not in [entry.state for entry in history[:-1]]
        for place, entry in enumerate(history):
            before = champion(history[:place])
            assert entry.promotion.previous == (before.promotion.number if before else None)

    @invariant()
    def the_champion_can_be_served(self) -> None:
        if digest := self.site.champion_digest():
            self.site.store.open(digest)

    @invariant()
    def an_undamaged_pointer_names_the_champion_or_what_is_about_to_be_it(self) -> None:
        if self.damaged:
            return
        history = self.site.ledger.history("toy")
        open_entry = in_flight(history)
        allowed = {
            self.site.champion_digest(),
            open_entry.promotion.sha256 if open_entry else self.site.champion_digest(),
        }
        assert self.site.pointed_digest() in allowed

    def teardown(self) -> None:
        promoter = self.site.promoter()
        promoter.repair("toy", force=True)
        self.site.assert_settled(self.toys.get(self.site.champion_digest() or ""))
        assert promoter.repair("toy") == []
        self.folder.__exit__(None, None, None)


def test_production_survives_any_story(toys: list[ModelPackage]) -> None:
    run_state_machine_as_test(
        lambda: Production(toys),
        settings=settings(max_examples=60, stateful_step_count=20, deadline=None),
    )
