"""The EarlyStopping service marks Trials: over TLS, with an account, minding versions."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path

import pytest
from support.cluster.recordings import recorded_stops
from support.katib.early_stopping import (
    SERVICE,
    Asking,
    Cluster,
    Database,
    condition,
    database,
    tls,
)
from support.katib.suggestion_clients import Client, serving
from support.serving.proxy import running_proxy
from support.serving.wire import pack_field

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="certificates are made with openssl"
)
MODULE = "katib.earlystopping"
NEW_CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
)
NAMESPACE = "team"
NAME = "tiny-0-bbbbbbbb"
MARK = {
    "reason": "TrialEarlyStopped",
    "message": "Trial is early stopped",
    "type": "EarlyStopped",
    "status": "True",
}
SEEN = {"metrics": [{"name": "mse", "min": "2", "max": "4", "latest": "2"}]}
START = "0001-01-01T00:00:00Z"  # of a report without a time


@pytest.fixture(scope="module")
def running() -> Iterator[Database]:
    with database() as made:
        yield made


@pytest.fixture(autouse=True)
def reports(running: Database) -> Database:
    """What the trial has reported, as Katib's collector stores it before it has it marked."""
    running.logs = {NAME: [(START, "mse", "4"), (START, "mse", "2")]}
    running.before = lambda _trial, _context: None
    return running


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service account's folder, with the API server's key next to its certificate."""
    folder = tmp_path_factory.mktemp("serviceaccount")
    command = f"{NEW_CERTIFICATE} -subj /CN=kubernetes"
    alternative = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-out",
        str(folder / "ca.crt"),
        "-keyout",
    ]
    subprocess.run(
        [*command.split(), *alternative, str(folder / "key")], check=True, capture_output=True
    )
    (folder / "namespace").write_text(NAMESPACE)
    return folder


@pytest.fixture(scope="module")
def served(account: Path, running: Database) -> Iterator[tuple[Cluster, Client]]:
    context = tls(str(account / "ca.crt"), str(account / "key"))
    with running_proxy(Cluster(NAMESPACE), tls=context) as cluster:
        options = ("--account", str(account), "--api-server", cluster.url)
        options += ("--database", f"127.0.0.1:{running.port}")
        with serving(0, *options, module=MODULE) as started:
            assert isinstance(cluster, Cluster)
            yield cluster, started.client


@pytest.fixture
def cluster(served: tuple[Cluster, Client], account: Path) -> Cluster:
    (account / "token").write_text("secret\n")
    found = served[0]
    found.trials = {}
    found.faults = []
    found.meanwhile = []
    found.token = "secret"  # noqa: S105 - of a test
    found.seen.clear()
    found.add(NAME, "Created", "Running")
    return found


@pytest.fixture
def client(served: tuple[Cluster, Client]) -> Client:
    return served[1]


def mark(client: Client, name: str = NAME) -> None:
    assert client.call("SetTrialStatus", pack_field(1, name), SERVICE) == b""


def refusal(client: Client, name: str = NAME) -> tuple[str, str]:
    return client.refusal("SetTrialStatus", pack_field(1, name), service=SERVICE)


def types(cluster: Cluster) -> list[str]:
    return [each["type"] for each in cluster.conditions(NAME)]


def writes(cluster: Cluster) -> int:
    return [method for method, _ in cluster.seen].count("PATCH")


def test_the_trial_gets_katibs_condition_and_keeps_all_else(
    client: Client, cluster: Cluster
) -> None:
    mark(client)
    *before, last = cluster.conditions(NAME)
    assert before == [condition("Created"), condition("Running")]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", last["lastTransitionTime"])
    assert last.pop("lastTransitionTime") == last.pop("lastUpdateTime")
    assert last == MARK
    assert cluster.trials[NAME]["status"]["startTime"]


def test_the_observation_comes_with_the_condition_in_one_patch(
    client: Client, cluster: Cluster
) -> None:
    """Without it the Experiment waits for this Trial for ever (katib#1377)."""
    mark(client)
    assert cluster.trials[NAME]["status"]["observation"] == SEEN
    assert writes(cluster) == 1


@pytest.mark.parametrize("name", sorted(recorded_stops()))
def test_the_observation_is_the_one_that_katib_itself_writes(
    client: Client, cluster: Cluster, reports: Database, name: str
) -> None:
    """Where `retain` is true Katib reads it, as a recorded Experiment of a real one shows."""
    stop = recorded_stops()[name]
    cluster.trials[NAME]["spec"] = stop["spec"]
    reports.logs = {NAME: [(row["time"], row["metric"], row["value"]) for row in stop["logs"]]}
    mark(client)
    metrics = cluster.trials[NAME]["status"]["observation"]["metrics"]
    assert sorted(metrics, key=itemgetter("name")) == stop["metrics"]


@pytest.mark.parametrize("known", [None, {"metrics": [{"name": "mse", "latest": "unavailable"}]}])
def test_one_that_was_marked_by_another_service_gets_its_observation(
    client: Client, cluster: Cluster, known: object
) -> None:
    conditions = [condition("Created"), condition("EarlyStopped")]
    cluster.write(NAME, conditions, observation=known)
    mark(client)
    assert cluster.trials[NAME]["status"]["observation"] == SEEN
    assert cluster.conditions(NAME) == conditions


def test_an_observation_that_katib_has_read_is_kept(client: Client, cluster: Cluster) -> None:
    theirs = {"metrics": [{"name": "mse", "min": "1", "max": "1", "latest": "1"}]}
    cluster.write(NAME, [condition("Running")], observation=theirs)
    mark(client)
    assert cluster.trials[NAME]["status"]["observation"] == theirs


def test_a_database_that_answers_late_is_awaited(
    client: Client, cluster: Cluster, reports: Database
) -> None:
    late = reports.logs
    reports.logs = {}

    def appear(_trial: str, _context: object) -> None:
        if len(reports.asked) > 1:
            reports.logs = late

    reports.asked.clear()
    reports.before = appear
    mark(client)
    assert cluster.trials[NAME]["status"]["observation"] == SEEN


def test_without_reports_the_trial_fails_instead_of_waiting_for_ever(
    client: Client, cluster: Cluster, reports: Database
) -> None:
    """Katib's collector fails after an error, its pod with it, and another trial is made."""
    reports.logs = {NAME: [(START, "mae", "1")]}
    code, text = refusal(client)
    assert (code, writes(cluster)) == ("UNAVAILABLE", 0)
    assert f"no report of mse by {NAME}" in text


def test_the_database_is_the_one_that_requests_name(
    cluster: Cluster, account: Path, running: Database
) -> None:
    options = ("--account", str(account), "--api-server", cluster.url, "--database", "")
    with serving(0, *options, module=MODULE) as started:
        assert Asking(started.client, f"127.0.0.1:{running.port}").rules() == []
        mark(started.client)
    assert cluster.trials[NAME]["status"]["observation"] == SEEN


@pytest.mark.parametrize("ended", ["Succeeded", "Failed"])
def test_one_whose_job_was_quicker_is_marked_too_as_by_katib(
    client: Client, cluster: Cluster, ended: str
) -> None:
    cluster.add(NAME, "Created", ended)
    mark(client)
    assert types(cluster) == ["Created", ended, "EarlyStopped"]


def test_one_without_any_condition_is_marked(client: Client, cluster: Cluster) -> None:
    cluster.trials[NAME]["status"] = {}
    mark(client)
    assert types(cluster) == ["EarlyStopped"]


def test_a_second_call_writes_nothing(client: Client, cluster: Cluster) -> None:
    mark(client)
    mark(client)
    assert types(cluster) == ["Created", "Running", "EarlyStopped"]
    assert writes(cluster) == 1


def test_what_others_write_meanwhile_is_kept(client: Client, cluster: Cluster) -> None:
    def others() -> None:
        cluster.write(NAME, [condition("Created"), condition("Running"), condition("Succeeded")])

    cluster.meanwhile = [others]
    mark(client)
    assert types(cluster) == ["Created", "Running", "Succeeded", "EarlyStopped"]
    assert writes(cluster) == 2


def test_a_trial_that_changes_all_the_time_is_given_up(client: Client, cluster: Cluster) -> None:
    cluster.meanwhile = [lambda: cluster.write(NAME, cluster.conditions(NAME))] * 50
    assert refusal(client) == (
        "UNAVAILABLE",
        f"patch trials/status {NAMESPACE}/{NAME}: it changes each time before it is written",
    )
    assert writes(cluster) == 7
    assert types(cluster) == ["Created", "Running"]


@pytest.mark.parametrize("code", [500, 503, 429])
def test_what_may_pass_is_tried_again(client: Client, cluster: Cluster, code: int) -> None:
    cluster.faults = [code, code]
    mark(client)
    assert types(cluster)[-1] == "EarlyStopped"


def test_a_broken_connection_is_tried_again(client: Client, cluster: Cluster) -> None:
    def breaks() -> None:
        cluster.write(NAME, [*cluster.conditions(NAME), condition("EarlyStopped")])
        raise ConnectionError("the answer is lost")

    cluster.meanwhile = [breaks]
    mark(client)
    assert types(cluster) == ["Created", "Running", "EarlyStopped"]


def test_an_unknown_trial_is_named(client: Client, cluster: Cluster) -> None:
    code, text = refusal(client, "tiny-1-cccccccc")
    assert code == "NOT_FOUND"
    assert text.startswith(f"get trials {NAMESPACE}/tiny-1-cccccccc: not found")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a?b", "Ä", "a" * 300])
def test_what_is_no_name_never_reaches_the_api_server(
    client: Client, cluster: Cluster, name: str
) -> None:
    code, text = refusal(client, name)
    assert (code, cluster.seen) == ("NOT_FOUND", [])
    assert "is no name of a Trial" in text


def test_an_account_without_the_right_is_told(client: Client, cluster: Cluster) -> None:
    cluster.faults = [403]
    code, text = refusal(client)
    assert code == "PERMISSION_DENIED"
    assert "may not get trials" in text


def test_a_renewed_token_is_used(client: Client, cluster: Cluster, account: Path) -> None:
    cluster.token = "renewed"  # noqa: S105 - of a test
    assert refusal(client)[0] == "PERMISSION_DENIED"
    (account / "token").write_text("renewed")
    mark(client)
    assert types(cluster)[-1] == "EarlyStopped"


@contextmanager
def other(account: Path, address: str) -> Iterator[Client]:
    with serving(0, "--account", str(account), "--api-server", address, module=MODULE) as started:
        yield started.client


def test_an_api_server_that_another_authority_vouches_for_gets_no_token(
    cluster: Cluster, account: Path, tmp_path: Path
) -> None:
    for name in ("token", "namespace"):
        (tmp_path / name).write_bytes((account / name).read_bytes())
    command = f"{NEW_CERTIFICATE} -subj /CN=other"
    files = ["-out", str(tmp_path / "ca.crt"), "-keyout", str(tmp_path / "key")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    with other(tmp_path, cluster.url) as client:
        code, text = refusal(client)
    assert (code, cluster.seen) == ("UNAVAILABLE", [])
    assert "certificate verify failed" in text.lower()


def test_outside_a_pod_it_says_what_it_lacks(account: Path, tmp_path: Path) -> None:
    with other(tmp_path, "https://127.0.0.1:1") as client:
        code, text = refusal(client)
        assert (code, "namespace: No such file" in text) == ("FAILED_PRECONDITION", True)
    with other(account, "") as client:
        code, text = refusal(client)
        assert (code, "no API server is known" in text) == ("FAILED_PRECONDITION", True)
