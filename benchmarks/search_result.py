"""What do 20 trials find? The shipped Experiment against scikit-learn's default forest.

The search is run with several seeds. Each one's winner, the candidate (the best of its finalists)
and the default are scored on folds that neither searches nor finalists have used, three repetitions
of five, and compared row by row; the interval is a bootstrap over rows.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from statistics import fmean

import yaml

from katib.experiment import read_experiment
from katib.local.engine import Engine
from katib.local.job_template import PathMap
from katib.objects import rank
from promote import GatePolicy
from promote.evidence import compare_losses
from promote.finalists import Contender, score_finalists
from promote.verdict import best_finalist
from registry.package import load_package
from trainer.dataset import load_dataset
from tunegate.promotion.evaluation import make_evaluation

ROOT = Path(__file__).parent.parent
FRESH = [9001, 9002, 9003]
DEFAULTS = {
    "max_features": 1.0,
    "min_samples_leaf": 1,
    "min_samples_split": 2,
    "bootstrap": True,
    "max_samples": None,
}
DEFAULTS |= {"criterion": "squared_error", "max_depth": None}


def main() -> None:
    """Search with each seed and print each comparison, then the mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    data = make_evaluation(load_dataset("boston"))
    policy = GatePolicy()
    ratios: dict[str, list[float]] = {"winner": [], "candidate": []}
    for seed in range(parser.parse_args().seeds):
        best = _best(seed, policy.finalists)
        chosen = best[best_finalist(score_finalists(best, data, policy))]
        default = data.out_of_fold(
            best[0].manifest.replace(parameters={"n_estimators": 200}), FRESH, 5
        )
        for name, contender in (("winner", best[0]), ("candidate", chosen)):
            found = compare_losses(
                default, data.out_of_fold(contender.manifest, FRESH, 5), resamples=2000, seed=0
            )
            ratios[name].append(found.candidate / found.champion)
            print(
                f"seed {seed}, {name}: searched {contender.manifest.cross_validation.score:.2f}, "
                f"fresh {found.candidate:.2f}, default {found.champion:.2f}, "
                f"ratio {ratios[name][-1]:.3f}, "
                f"gain {found.gain:.2f} [{found.low:.2f}, {found.high:.2f}], "
                f"P(better) {found.p_better:.2f}"
            )
    for name, all_found in ratios.items():
        print(
            f"mean ratio of mse, {name} / default: {fmean(all_found):.3f}; "
            f"worst {max(all_found):.3f}"
        )


def _best(seed: int, count: int) -> list[Contender]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = yaml.safe_load(
            (ROOT / "manifests" / "experiment.yaml").read_text(encoding="utf-8")
        )
        document["spec"]["algorithm"]["algorithmSettings"][0]["value"] = str(seed)
        path = folder / "experiment.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        places = PathMap(folder, mounts={"tunegate-models": folder / "store"})
        engine = Engine(read_experiment(path), folder, places, first=DEFAULTS, preload=("trainer",))
        best = rank(asyncio.run(engine.run()).trials)[:count]
        return [
            Contender.of(load_package(folder / "store" / "trials" / each.trial)) for each in best
        ]


if __name__ == "__main__":
    main()
