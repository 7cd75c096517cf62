"""`tunegate shadow` on a real server: begins, shows and ends; the gate reads what was seen."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.cli import free_port, tunegate
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry import toy_data as toy
from support.registry.package_variants import damaged, tiny
from support.serving.servers import await_true, fake, running

from registry.package import ModelPackage
from registry.shadow import Shadow

HELD = 11
USAGE = 2
ERROR = 1


@dataclass
class Place:
    """A state folder with a champion in production."""

    root: Path
    site: PromotionSite
    champion: ModelPackage
    data: str = ""

    def run(self, *words: object, **env: str) -> tuple[int, str, Any]:
        """Run a command; returns its exit code, what it says, and its JSON."""
        places = [
            f"--state={self.root}",
            f"--store={self.root / 'store'}",
            f"--ledger={self.root / 'ledger.db'}",
        ]
        which = f"--data={self.data}" if self.data else f"--model={self.site.model}"
        done = tunegate(*words, "--json", which, *places, env=env)
        return done.returncode, done.stderr, json.loads(done.stdout) if done.stdout else None


@pytest.fixture
def place(tmp_path: Path) -> Place:
    site = PromotionSite(tmp_path)
    champion = tiny(tmp_path / "champion")
    site.promoter(smoke=None).promote(champion, promoting_verdict(champion, None))
    return Place(tmp_path, site, champion)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[tuple[Place, ModelPackage, str]]:
    """A poor champion that is served, a better candidate among the trials, and the address."""
    data = toy.dataset(tmp_path / "data", toy.homes())
    site = PromotionSite(tmp_path, model="homes")
    champion = toy.package(data, tmp_path / "poor", toy.POOR)
    candidate = toy.package(data, site.store.trial("better"), toy.GOOD)
    site.promoter(smoke=None).promote(champion, promoting_verdict(champion, None))
    with running(site.store, "homes") as server:
        yield (
            Place(tmp_path, site, champion, str(tmp_path / "data" / "spec.toml")),
            candidate,
            server.url,
        )


def asked(url: str, candidate: ModelPackage) -> dict[str, Any]:
    """Wait until the candidate is asked, send some rows, and return what the server has seen."""
    where = f"{url}/v1/models/homes/shadow"
    await_true(
        lambda: httpx.get(where).json()["candidate"] == candidate.digest,
        "the candidate to be asked",
    )
    rows = list(candidate.golden.rows)
    for row in rows:
        httpx.post(f"{url}/predict", json=row).raise_for_status()
    await_true(
        lambda: httpx.get(where).json()["seen"]["rows"] == len(rows), "the rows to be compared"
    )
    seen: dict[str, Any] = httpx.get(where).json()["seen"]
    return seen


def test_a_candidate_is_shown_and_gets_into_the_verdict(
    homes: tuple[Place, ModelPackage, str],
) -> None:
    place, candidate, url = homes
    at = f"--url={url}"
    assert place.run("shadow", at)[2]["candidate"] is None
    code, said, begun = place.run("shadow", "better", "--share=1")
    assert (code, begun) == (0, {"model": "homes", "sha256": candidate.digest, "share": 1.0}), said
    seen = asked(url, candidate)
    code, said, shown = place.run("shadow", at)
    assert (code, shown["seen"], shown["champion"]) == (0, seen, place.champion.digest)
    assert f"shadow: {seen['rows']} rows of real requests compared" in said

    code, said, verdict = place.run("gate", "--trial=better", at)
    assert (code, verdict["shadow"]) == (0, seen)
    assert f"shadow: {seen['rows']} rows of real requests compared" in said
    kept = json.loads((place.root / "verdicts" / "latest.json").read_bytes())
    assert kept == verdict
    without = place.run("gate", "--trial=better")[2]
    assert without == {name: value for name, value in verdict.items() if name != "shadow"}

    more = str(seen["rows"] + 1)
    code, said, verdict = place.run(
        "promote", "--trial=better", at, TUNEGATE_GATE__SHADOW_ROWS=more
    )
    assert (code, verdict["verdict"], verdict["shadow"]) == (HELD, "hold", seen), said
    enough = str(seen["rows"])
    code, said, verdict = place.run(
        "promote", "--trial=better", at, TUNEGATE_GATE__SHADOW_ROWS=enough
    )
    assert (code, verdict["verdict"]) == (0, "promote"), said
    # Otherwise it would reappear under the next champion.
    assert place.site.store.shadow("homes") is None


def test_a_shadow_of_another_candidate_and_no_service_leave_the_verdict_as_it_is(
    homes: tuple[Place, ModelPackage, str], tmp_path: Path
) -> None:
    place, candidate, url = homes
    other = toy.package(
        toy.dataset(tmp_path / "data", toy.homes()), tmp_path / "other", toy.GOOD, seed=5
    )
    assert place.run("shadow", other.path, "--share=1")[0] == 0
    asked(url, other)
    verdict = place.run("gate", "--trial=better", f"--url={url}")[2]
    assert verdict["candidate"]["sha256"] == candidate.digest
    assert "shadow" not in verdict
    code, said, verdict = place.run(
        "gate", "--trial=better", f"--url=http://127.0.0.1:{free_port()}"
    )
    assert (code, "shadow" in verdict) == (0, False)
    assert "note: the verdict has no evidence of a shadow: no server answers at" in said


def test_a_share_can_be_changed_and_a_shadow_be_ended(place: Place) -> None:
    candidate = tiny(place.root / "candidate", low=3.0)
    for share in (0.1, 0.5):
        words = () if share == 0.1 else (f"--share={share}",)
        assert place.run("shadow", candidate.path, *words)[0] == 0
        assert place.site.store.shadow("toy") == Shadow(
            model="toy", sha256=candidate.digest, share=share
        )
    assert place.site.store.open(candidate.digest).digest == candidate.digest
    for _ in range(2):
        assert place.run("shadow", "--stop")[0] == 0
        assert place.site.store.shadow("toy") is None
    place.site.assert_settled(place.champion)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere: neither a trial"),
        (("latest",), "no run below"),
        (("candidate", "--stop"), "--stop takes no candidate"),
        (("--share=0.5",), "--share is for a candidate"),
        (("{candidate}", "--share=0"), "above 0 and at most 1"),
        (("{candidate}", "--share=1.5"), "above 0 and at most 1"),
        (("{champion}",), "in production already"),
        (("{stranger}",), "a package of other, not of toy"),
        (("{columns}",), "differs from the champion in columns"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_set(
    place: Place, words: tuple[str, ...], said: str
) -> None:
    column = {"name": "z", "kind": "numeric", "minimum": 0.0, "maximum": 1.0, "typical": 0.25}
    packages = {
        "candidate": tiny(place.root / "candidate", low=3.0),
        "champion": place.champion,
        "stranger": tiny(place.root / "stranger", name="other"),
        "columns": tiny(place.root / "columns", columns=[column]),
    }
    paths = {name: str(package.path) for name, package in packages.items()}
    code, text, _ = place.run("shadow", *(word.format(**paths) for word in words))
    assert code == USAGE
    assert said in text
    assert "hint:" in text
    assert place.site.store.shadow("toy") is None


def test_without_a_champion_there_is_nobody_to_stand_beside(tmp_path: Path) -> None:
    code, said, _ = Place(tmp_path, PromotionSite(tmp_path), tiny(tmp_path / "toy")).run(
        "shadow", tmp_path / "toy"
    )
    assert code == USAGE
    assert "nothing of toy is in production" in said


def test_a_damaged_candidate_is_refused(place: Place) -> None:
    folder = damaged(tiny(place.root / "candidate", low=3.0), place.root / "damaged")
    code, said, _ = place.run("shadow", folder)
    assert code == ERROR
    assert "sha256" in said
    assert place.site.store.shadow("toy") is None


def test_a_service_that_is_not_there_or_is_another_is_said(place: Place) -> None:
    code, said, _ = place.run("shadow", f"--url=http://127.0.0.1:{free_port()}")
    assert code == ERROR
    assert "no server answers at" in said
    with fake(lambda *_: (200, {}, b"{}")) as url:
        code, said, _ = place.run("shadow", f"--url={url}")
    assert code == ERROR
    assert "the answer is not a shadow" in said


def test_the_key_that_the_service_wants_is_sent(place: Place, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    with running(place.site.store, "toy", api_key=str(key)) as server:
        code, said, _ = place.run("shadow", f"--url={server.url}")
        assert (code, "is answered 401" in said) == (ERROR, True)
        code, _, shown = place.run("shadow", f"--url={server.url}", f"--api-key={key}")
        assert (code, shown["champion"]) == (0, place.champion.digest)
