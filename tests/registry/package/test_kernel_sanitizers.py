"""The C kernel under sanitizers: packages of other releases, forged forests, linear models."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from registry.errors import PackageError
from registry.package import (
    FlatForest, FlatLinear, Output, kernel, load_package, make_row_predictor, predict_encoded
)
kernel._library = kernel.load_library(Path(sys.argv[1]), {})
assert kernel._library
rng = np.random.default_rng(1)
walked = 0
for folder in sorted(Path(sys.argv[2]).iterdir()):
    if not folder.is_dir():
        continue
    package = load_package(folder)
    forest = package.forest
    width = forest.n_features
    for _ in range(100):
        arrays = {name: array.copy() for name, array in forest.arrays().items()}
        for name in ("feature", "left", "right", "start"):
            if rng.random() < 0.5:
                place = rng.integers(len(arrays[name]))
                arrays[name][place] = rng.integers(-2, len(arrays[name]) + 2)
        try:
            mutant = FlatForest.from_arrays(arrays, n_features=width)
        except PackageError:
            mutant = forest
        x = rng.normal(size=(19, width)).astype(np.float32)
        x[rng.random(x.shape) < 0.2] = np.nan
        mutant.sums(x)
        mutant.sums_row(x[0].tobytes())
        walked += 1
for width in (1, 7, 512, 513):
    for outputs in (1, 3):
        n_trees = 37
        start = np.arange(n_trees + 1, dtype=np.int32) * 3
        left, right, feature = (np.arange(3 * n_trees, dtype=np.int32) for _ in range(3))
        left[start[:-1]] += 1
        right[start[:-1]] += 2
        feature = feature * 0
        feature[start[:-1]] = width - 1
        stumps = FlatForest(
            start, feature, np.zeros(len(left), dtype=np.float32), left, right,
            rng.random(len(left)) < 0.5, rng.normal(size=(len(left), outputs)), width,
        )
        x = rng.normal(size=(50, width)).astype(np.float32)
        x[rng.random(x.shape) < 0.2] = np.nan
        links = ("softmax", "logistic", "expm1") if outputs == 1 else ("softmax",)
        for link in links:
            output = Output(combine="sum", link=link, base=[1.0] * outputs)
            predict_encoded(stumps, output, x)
            make_row_predictor(stumps, output)(x[0].tobytes())
            walked += 1
        model = FlatLinear(
            *rng.lognormal(size=(3, width)), rng.normal(size=(width, outputs)),
            rng.normal(size=outputs), width,
        )
        model.sums(x)
        model.sums_row(x[0].tobytes())
        walked += 1
for size in (1, 8, 127, 128, 129, 300):
    for key in (b"", bytes(8), bytes(64)):
        content = rng.bytes(3 * size)
        hashed = kernel.hash_pieces(content, size=size, key=key)
        assert (hashed == kernel.hash_by_python(content, size=size, key=key)).all()
        walked += 1
print(walked)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"), reason="needs gcc's sanitizers"
)
def test_the_kernel_reads_and_writes_only_what_is_its_own(tmp_path: Path) -> None:
    library = tmp_path / "libkernel.so"
    source = ROOT / "registry" / "package" / "kernel.c"
    flags = ["-std=c99", "-O1", "-g", "-fPIC", "-shared", "-ffp-contract=off"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    built = subprocess.run(
        ["gcc", *flags, *sanitizers, str(source), "-o", str(library)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        pytest.skip(f"gcc has no sanitizers here: {built.stderr[:200]}")
    runtime = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(library), str(Path(__file__).parent / "formats" / "1")],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == 442
