"""The same inputs and seed give the same verdict, byte for byte, in any process."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from support.patience import patience
from support.promotion.gate_cases import Floats, GateCase
from support.registry import toy_data as toy

from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import GateInput
from promote.verdict import Verdict
from registry.package import Manifest, load_package
from tunegate.promotion.evaluation import make_evaluation

JUDGE = """
import sys
from pathlib import Path
from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import GateInput
from registry.package import load_package
from trainer.dataset import load_dataset
from tunegate.promotion.evaluation import make_evaluation

candidate, champion = [load_package(Path(name)) for name in sys.argv[2:]]
contest = GateInput(candidate, champion, make_evaluation(load_dataset(sys.argv[1]), cpus=2))
sys.stdout.buffer.write(judge(contest, GatePolicy()).canonical())
"""


def test_judging_again_gives_the_same_bytes(homes: GateCase) -> None:
    verdicts = [
        judge(
            GateInput(homes.good, homes.poor, make_evaluation(homes.data, cpus=cpus)), GatePolicy()
        )
        for cpus in (1, 2)
    ]
    assert verdicts[0].canonical() == verdicts[1].canonical()
    assert verdicts[0].digest() == verdicts[1].digest()


def test_another_process_gives_the_same_bytes(homes: GateCase) -> None:
    arguments = [
        str(homes.data.spec.folder / "spec.toml"),
        str(homes.good.path),
        str(homes.poor.path),
    ]
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, *arguments],
        capture_output=True,
        check=True,
        timeout=patience(60),
    )
    assert done.stdout == homes.judge(homes.good, homes.poor).canonical()


def test_another_place_and_order_of_rows_give_the_same_bytes(
    homes: GateCase, tmp_path: Path
) -> None:
    shuffled = toy.homes().sample(frac=1, random_state=3)
    data = toy.dataset(tmp_path / "elsewhere", shuffled)
    candidate = toy.package(data, tmp_path / "homes-good", toy.GOOD)
    verdict = judge(GateInput(candidate, homes.poor, make_evaluation(data, cpus=1)), GatePolicy())
    assert verdict.canonical() == homes.judge(homes.good, homes.poor).canonical()


def test_another_seed_of_the_gate_draws_other_folds(homes: GateCase) -> None:
    one, other = (homes.judge(homes.good, homes.poor, seed=seed).recipe for seed in (0, 1))
    assert one
    assert other
    assert one.candidate != other.candidate


def test_the_gates_folds_are_not_those_of_the_search(homes: GateCase) -> None:
    asked: list[int] = []

    def spy(manifest: Manifest, seeds: list[int], folds: int) -> Floats:
        asked.extend(seeds)
        return homes.view.out_of_fold(manifest, seeds, folds)

    judge(GateInput(homes.good, None, replace(homes.view, out_of_fold=spy)), GatePolicy())
    assert len(set(asked)) == 3
    assert min(asked) > 999  # the trainer takes fold seeds up to 999


def test_a_verdict_survives_its_json(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    assert Verdict.parse(verdict.canonical()) == verdict


def test_a_loaded_package_is_judged_like_the_one_it_was_loaded_from(homes: GateCase) -> None:
    again = load_package(homes.good.path)
    assert homes.judge(again, homes.poor) == homes.judge(homes.good, homes.poor)
