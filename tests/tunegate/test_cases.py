"""Small odd tables, from the file to the answers of the server, in process.

Each is learned rightly, by small forests, or refused for the right reason: as the one command takes
it, and with a spec by hand.
"""

import shlex
from pathlib import Path

import httpx
import numpy as np
import pytest
from support.cases import Case, cases, write_case
from support.promotion.promotions import promoting_verdict
from support.serving.servers import in_process

from api.app import create_app
from promote import GatePolicy
from registry.package import COLUMN_KINDS, ModelPackage, load_package
from trainer.__main__ import main as train
from trainer.dataset import Dataset, DatasetPart, load_dataset
from trainer.errors import TrainerError
from tunegate.errors import UsageError
from tunegate.pipeline import curl_command
from tunegate.settings import load_settings
from tunegate.study.candidacy import Candidacy
from tunegate.study.checked_plan import PlannedSearch
from tunegate.study.planning import prepare_search
from tunegate.study.starting import TableOptions
from tunegate.workspace import Workspace

CASES = cases()
# Twelve trees lose against the library's hundred, which is not the question.
QUICK = GatePolicy(repeats=1, folds=2, resamples=500, p_holdout=0)
TREES = 12
TRIAL = "small"
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.spec_only])
def test_a_table_is_learned_rightly_or_refused_with_the_right_reason(
    name: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = CASES[name]
    table, spec = write_case(case, Path())
    if not case.learned:
        refuse(case.says, table, TableOptions(case.target))
        refuse(case.says, spec)
        return
    plan = prepare_search(str(table), load_settings(), TableOptions(case.target))
    said = capsys.readouterr().err
    assert all(words in said for words in case.says), said
    dataset = learn(case, plan)
    serve(case, plan, dataset)
    if case.refused_by_spec:
        refuse(case.refused_by_spec, spec)
    else:
        learn(case, prepare_search(str(spec), load_settings()))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.spec_only])
def test_a_spec_is_followed_or_refused_with_the_right_reason(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = CASES[name]
    spec = write_case(case, Path())[1]
    if not case.learned:
        refuse(case.says, spec)
        return
    plan = prepare_search(str(spec), load_settings())
    serve(case, plan, learn(case, plan))


def refuse(words: tuple[str, ...], source: Path, table: TableOptions | None = None) -> None:
    with pytest.raises((TrainerError, UsageError)) as caught:
        prepare_search(str(source), load_settings(), table or TableOptions())
    message = f"{caught.value} / {caught.value.hint}"
    assert all(each in message for each in words), message


def learn(case: Case, plan: PlannedSearch) -> Dataset:
    dataset = load_dataset(plan.program.data)
    assert {column.name: column.kind for column in dataset.columns} == case.learned
    return dataset


def serve(case: Case, plan: PlannedSearch, dataset: Dataset) -> None:
    """Fit one trial, judge and promote it, and ask the server for the rows of the table."""
    store = plan.workspace.store
    words = [f"--data={plan.program.data}", f"--n-estimators={TREES}", "--folds=2"]
    assert train([*words, "--no-importances", f"--output={store.trial(TRIAL)}"]) == 0
    package = load_package(store.trial(TRIAL))
    settings = plan.workspace.given.replace(data=plan.program.data, gate=QUICK, cpus=1)
    decision = Candidacy.find(Workspace(settings), trial=TRIAL).promote()
    assert decision.verdict.verdict == case.gate, decision.verdict.reasons
    if case.gate != "promote":
        plan.workspace.promoter().promote(package, promoting_verdict(package, None))
    with in_process(create_app(store, package.manifest.name)) as client:
        example = shlex.split(curl_command(str(client.base_url), package))[-1]
        assert client.post("/predict", content=example).status_code == 200
        answer_as_the_package(client, package, dataset.holdout)
        assert answer_as_the_package(client, package, dataset.training) >= case.explained


def answer_as_the_package(client: httpx.Client, package: ModelPackage, part: DatasetPart) -> float:
    """Return how much of the target the server's answers explain, which are the package's own."""
    manifest = package.manifest
    rows = [
        {
            column.name: COLUMN_KINDS[column.kind].json_cell(column, part.table[column.name][row])
            for column in manifest.columns
        }
        for row in range(len(part.y))
    ]
    answer = client.post("/predict", json=rows)
    assert answer.status_code == 200, answer.text
    answered = [each[manifest.prediction] for each in answer.json()]
    expected = package.predict(part.table)
    if manifest.task == "regression":
        assert answered == expected[:, 0].tolist()
        return 1 - float(np.mean((part.y - answered) ** 2) / np.var(part.y))
    assert answered == [manifest.classes[place] for place in expected.argmax(axis=1)]
    return float(np.mean([manifest.classes[int(y)] for y in part.y] == np.array(answered)))
