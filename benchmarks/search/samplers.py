"""The samplers by name: `tunegate`, `tunegate+first`, `tpe:n_startup_trials=5@uniform`, `skopt`.

A name is an algorithm of ours (a key of `katib.search.algorithms.ALGORITHMS`) or a rival of
`RIVALS`; then settings; `@uniform` searches leaf and split sizes on a plain scale; `+first` makes
scikit-learn's default forest trial 0.
"""

import ast
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.search.simulate import Assignments, Sampler, Trial
from benchmarks.search.tables import Table
from katib.search.algorithms import ALGORITHMS
from katib.search.sampler import Search, TrialRecord
from katib.space import Parameter

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "rivals"
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
NAME = re.compile(
    r"(?P<kind>[\w-]+)(?::(?P<settings>[^@+]+))?(?P<uniform>@uniform)?(?P<first>\+first)?"
)
# The program that speaks for it, and the environment below .peers it runs in.
RIVALS = {
    "skopt": ("skopt_as_katib.py", "skopt"),
    "hyperopt": ("hyperopt_as_katib.py", "hyperopt"),
    "smac": ("smac_black_box.py", "smac"),
    "optuna-tpe": ("optuna_samplers.py", "optuna-gp"),
    "optuna-gp": ("optuna_samplers.py", "optuna-gp"),
    "optuna-auto": ("optuna_samplers.py", "optuna-gp"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the tables."""

    name: str
    kind: str
    settings: dict[str, str]
    log: bool
    first: bool

    @classmethod
    def parse(cls, name: str) -> "Entry":
        """Read a name.

        Raises:
            SystemExit: when there is no such sampler.
        """
        match = NAME.fullmatch(name)
        if not match or match["kind"] not in {**RIVALS, **ALGORITHMS}:
            known = ", ".join([*RIVALS, *(n for n, a in ALGORITHMS.items() if a.local)])
            raise SystemExit(f"no sampler is called {name!r}; known: {known}")
        # A comma also stands inside JSON: one that parts settings has a name and an equals sign
        # behind it.
        settings = dict(
            part.split("=", 1) for part in re.split(r",(?=\w+=)", match["settings"] or "") if part
        )
        return cls(
            name, match["kind"], settings, log=not match["uniform"], first=bool(match["first"])
        )

    @property
    def rival(self) -> bool:
        """Whether it is another's."""
        return self.kind in RIVALS

    def version(self) -> str:
        """A digest of the code behind the name: results of other code have another one."""
        program, environment = RIVALS.get(self.kind, ("", ""))
        lock = ROOT / "requirements" / "peers" / f"{environment}.txt"
        files = (
            [HERE / program, HERE / "wire.py", lock]
            if self.rival
            else list(_module_sources("katib.search.sampler"))
        )
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


@contextmanager
def ready_factory(entry: Entry) -> Iterator["Factory"]:
    """Yield what makes samplers of this entry; a rival's process lives as long."""
    if not entry.rival:
        yield Factory(entry)
        return
    program, environment = RIVALS[entry.kind]
    python = ROOT / ".peers" / environment / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"{entry.name}: no environment; run scripts/peers {environment}")
    command = [python, HERE / program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=ONE_THREAD
    ) as process:
        yield Factory(entry, process)
        assert process.stdin
        process.stdin.close()


@dataclass(frozen=True, slots=True)
class Factory:
    """Makes a fresh sampler for each search."""

    entry: Entry
    process: "subprocess.Popen[str] | None" = None

    def make(self, table: Table, seed: int) -> Sampler:
        """Return a sampler that knows nothing yet."""
        parameters = table.grid.parameters(log=self.entry.log)
        first = table.first if self.entry.first else {}
        if self.process is None:
            kind = self.entry.kind
            settings = self.entry.settings
            return Ours(Search(parameters, kind, settings, minimize=True, seed=seed, first=first))
        start = {p.name: p.nearest(first[p.name]) for p in parameters if p.name in first}
        return Rival(self.process, self.entry, parameters, seed, start)


@dataclass(frozen=True, slots=True)
class Ours:
    """Our sampler, which has no memory."""

    search: Search

    def ask(self, trials: Sequence[Trial], count: int) -> tuple[list[Assignments], float]:
        """Ask with all trials so far."""
        seen = [
            TrialRecord(t.assignments, "running" if t.loss is None else "complete", t.loss)
            for t in trials
        ]
        begun = time.process_time()
        points = self.search.ask(seen, count)
        return points, time.process_time() - begun


@dataclass(slots=True)
class Rival:
    """Another's sampler, in a process of its own environment.

    It is told each trial once, in the order of their ends.
    """

    process: "subprocess.Popen[str]"
    entry: Entry
    parameters: tuple[Parameter, ...]
    seed: int
    first: dict[str, Any]
    told: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        space = [asdict(parameter) for parameter in self.parameters]
        about = {"kind": self.entry.kind, "settings": self.entry.settings, "first": self.first}
        self._say({"start": space, "seed": self.seed, **about})

    def ask(self, trials: Sequence[Trial], count: int) -> tuple[list[Assignments], float]:
        """Tell what has ended since, then ask."""
        ended = [
            place
            for place, trial in enumerate(trials)
            if trial.loss is not None and place not in self.told
        ]
        ended.sort(key=lambda place: trials[place].ended or 0)
        self.told.update(ended)
        new = [[place, trials[place].assignments, trials[place].loss] for place in ended]
        answer = self._say({"told": new, "count": count})
        return answer["points"], answer["cpu"]

    def _say(self, message: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(message) + "\n")
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.entry.name}: its process has ended; its error is above")
        return json.loads(line)


def _module_sources(module: str, known: set[str] | None = None) -> Iterator[Path]:
    """Yield the files of a module of ours and of those that it imports."""
    if known is None:
        known = set()
    if not module.startswith("katib.") or module in known:
        return
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return
    known.add(module)
    yield Path(spec.origin)
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from _module_sources(node.module, known)
