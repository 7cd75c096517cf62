"""Out-of-bag and training accuracy of a trial's forest, on the terms of published notebooks.

    python examples/titanic/out_of_bag.py [TRIAL]      in the folder where the search ran

Those notebooks fit on all 891 rows, so this does too: once a seed, with the parameters of the
trial that ranks first, or of the one named. The search chose them by cross-validation on the
training part, 711 of the rows, and never by this number.
"""

import sys
from pathlib import Path

import numpy as np

import tunegate as tg
from trainer.dataset import load_dataset
from trainer.recipe import Recipe
from trainer.scoring.out_of_bag import predict_out_of_bag

SEEDS = range(5)


def main(trial: str) -> None:
    """Print both accuracies a seed, and their means."""
    study = tg.Study.newest()
    manifest = tg.load(str(study.workspace.store.trial(trial or study.best.name))).manifest
    dataset = load_dataset(str(Path(__file__).parent / "titanic.toml"))
    parts = (dataset.training, dataset.holdout)
    x = np.vstack([dataset.matrix(part) for part in parts])
    y = np.concatenate([part.y for part in parts])
    rows = []
    for seed in SEEDS:
        recipe = Recipe.of_dataset(dataset, manifest.algorithm, manifest.parameters, seed)
        forest = recipe.fit(x, y)
        shares = predict_out_of_bag(recipe, forest, x, np.arange(len(x)))
        seen = np.mean(shares.argmax(axis=1) == y)
        rows.append((seen, np.mean(forest.predict(x) == y)))
        print(f"seed {seed}: out of bag {rows[-1][0]:.4f}, training {rows[-1][1]:.4f}")
    out_of_bag, training = np.mean(rows, axis=0)
    print(f"mean: out of bag {out_of_bag:.4f}, training {training:.4f}; {manifest.parameters}")


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "")
