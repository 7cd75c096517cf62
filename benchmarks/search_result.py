"""What do 20 trials find? The winner of the shipped Experiment against scikit-learn's default forest, on fresh folds.

The search is run with several seeds. Each winner and the default are scored on folds that no search has used, three
repetitions of five, and compared row by row; the interval is a bootstrap over rows.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from statistics import fmean

import yaml

from katib.engine import Engine
from katib.experiment import read_experiment
from katib.template import Places
from promote.candidate import rank
from promote.evidence import compare
from registry.package import Manifest, load_package
from trainer.dataset import load_dataset
from tunegate.evaluation import evaluation

ROOT = Path(__file__).parent.parent
FRESH = [9001, 9002, 9003]
DEFAULTS = {"max_features": 1.0, "min_samples_leaf": 1, "min_samples_split": 2, "bootstrap": True, "max_samples": None}
DEFAULTS |= {"criterion": "squared_error", "max_depth": None}


def main() -> None:
    """Search with each seed and print each comparison, then the mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    data = evaluation(load_dataset("boston"))
    ratios = []
    for seed in range(parser.parse_args().seeds):
        manifest, searched = _winner(seed)
        mine = data.out_of_fold(manifest, FRESH, 5)
        default = manifest.replace(parameters={"n_estimators": 200})
        found = compare(data.out_of_fold(default, FRESH, 5), mine, resamples=2000, seed=0)
        ratios.append(found.candidate / found.champion)
        print(
            f"seed {seed}: searched {searched:.2f}, fresh {found.candidate:.2f}, default {found.champion:.2f}, "
            f"ratio {ratios[-1]:.3f}, gain {found.gain:.2f} [{found.low:.2f}, {found.high:.2f}], "
            f"P(better) {found.p_better:.2f}"
        )
    print(f"mean ratio of mse, winner / default: {fmean(ratios):.3f}; worst {max(ratios):.3f}")


def _winner(seed: int) -> tuple[Manifest, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = yaml.safe_load((ROOT / "manifests" / "experiment.yaml").read_text(encoding="utf-8"))
        document["spec"]["algorithm"]["algorithmSettings"][0]["value"] = str(seed)
        path = folder / "experiment.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        places = Places(folder, mounts={"tunegate-models": folder / "store"})
        engine = Engine(read_experiment(path), folder, places, first=DEFAULTS, preload=("trainer",))
        best = rank(asyncio.run(engine.run()).trials)[0]
        return load_package(folder / "store" / "trials" / best.trial).manifest, best.value


if __name__ == "__main__":
    main()
