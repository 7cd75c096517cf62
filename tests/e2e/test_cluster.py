"""The whole chain on a cluster: search, gate, promotion, serving, rollback; and its failures."""

import base64
import copy
import csv
import io
import json
import random
import subprocess
import time
import tomllib
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster.deployment import (
    PATIENCE,
    ROOT,
    SEARCH,
    SERVING,
    Job,
    Object,
    System,
    await_that,
    promote_words,
    system,
)
from support.cluster.kubectl import kubectl, kubectl_json, port_forward
from support.patience import patience

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(patience(900))]

SHIPPED = ROOT / "manifests" / "experiment.yaml"
CLAIM = "/models"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(tmp_path_factory.mktemp("overlay")) as found:
        yield found


@pytest.fixture(scope="module")
def first(deployed: System) -> dict[str, Any]:
    """What a user does first: apply, create the Experiment, wait for the promotion's Job."""
    job = deployed.start(promote_words("boston-forest"))
    begun = time.monotonic()
    kubectl("create", "-f", str(SHIPPED))
    trials = deployed.search("boston-forest")
    searched = time.monotonic()
    promoted = deployed.finish(job)
    deployed.rollout()
    details = deployed.read("state/deploy_details.json")
    await_that(
        lambda: set(deployed.served()) == {details["sha256"]},
        "all replicas serve it",
        timeout=patience(30),
    )
    print(  # noqa: T201
        f"\nfrom kubectl create: searched {searched - begun:.1f} s, "
        f"served {time.monotonic() - begun:.1f} s"
    )
    return {"trials": trials, "job": promoted, "details": details, "champion": details["sha256"]}


def experiment(
    name: str, *, data: str = "boston", trials: int = 4, **ranges: tuple[str, str]
) -> Object:
    """Return the shipped Experiment, smaller, with other ranges and data."""
    document: Object = copy.deepcopy(yaml.safe_load(SHIPPED.read_text()))
    document["metadata"]["name"] = name
    spec = document["spec"]
    spec |= {
        "maxTrialCount": trials,
        "maxFailedTrialCount": trials,
        "parallelTrialCount": min(4, trials),
    }
    for parameter in spec["parameters"]:
        if parameter["name"] in ranges:
            parameter["feasibleSpace"] = dict(
                zip(("min", "max"), ranges[parameter["name"]], strict=True)
            )
    container = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    if data.startswith(CLAIM):  # of the volume a trial sees only its own folder otherwise
        folder = data.removeprefix(f"{CLAIM}/").partition("/")[0]
        mount = {"name": "models", "mountPath": f"{CLAIM}/{folder}", "subPath": folder}
        container["volumeMounts"].append({**mount, "readOnly": True})
    command = container["command"]
    command[:] = [f"--data={data}" if word.startswith("--data=") else word for word in command]
    command[:] = [
        "--n-estimators=40" if word.startswith("--n-estimators=") else word for word in command
    ]
    return document


def write_to_volume(deployed: System, path: str, content: bytes) -> None:
    """Write a file on the volume."""
    code = (
        "import base64, pathlib, sys; path = pathlib.Path(sys.argv[1]); "
        "path.parent.mkdir(parents=True, exist_ok=True); "
        "path.write_bytes(base64.b64decode(sys.argv[2]))"
    )
    job = deployed.run(
        ["python", "-c", code, f"{CLAIM}/{path}", base64.b64encode(content).decode()]
    )
    assert job.ended == "Complete", job.logs


def apart(deployed: System, first: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return command and settings that promote the champion into another store and ledger."""
    name = f"apart-{uuid.uuid4().hex[:8]}"
    words = [
        "tunegate",
        "promote",
        f"--package={CLAIM}/models/{first['champion']}",
        "--no-exit-code",
    ]
    root = f"{CLAIM}/{name}"
    env = {
        "TUNEGATE_STORE": root,
        "TUNEGATE_STATE": f"{root}/state",
        "TUNEGATE_ENVIRONMENT": name,
        "TUNEGATE_URL": "",
    }
    return words, env


def apart_history(deployed: System, env: dict[str, str]) -> list[Object]:
    job = deployed.run(["tunegate", "history", "--json"], env=env)
    entries: list[Object] = json.loads(job.log)
    return entries


def states(history: list[Object]) -> list[str]:
    return [entry["outcome"]["result"] if entry["outcome"] else "in flight" for entry in history]


# The chain


def test_trials_ran_in_parallel_as_jobs_and_left_a_package_each(
    deployed: System, first: dict[str, Any]
) -> None:
    def moment(trial: Object, field: str) -> datetime:
        return datetime.fromisoformat(trial["status"][field])

    trials = first["trials"]
    assert len(trials) == yaml.safe_load(SHIPPED.read_text())["spec"]["maxTrialCount"]
    spans = [(moment(trial, "startTime"), moment(trial, "completionTime")) for trial in trials]
    most = max(sum(start <= other < end for start, end in spans) for other, _ in spans)
    assert most >= 2
    listed = kubectl("exec", "-n", SERVING, "deploy/api", "--", "ls", f"{CLAIM}/trials").split()
    assert {trial["metadata"]["name"] for trial in trials} <= set(listed)


def test_the_winner_is_promoted_recorded_and_served(
    deployed: System, first: dict[str, Any]
) -> None:
    assert first["job"].ended == "Complete", first["job"].logs
    details = first["details"]
    assert details["verdict"] == "promote"
    assert details["old_model"] is None
    assert details["prod_model"]["uri"] == f"pvc://tunegate-models/models/{first['champion']}"
    assert details["trial"] in {trial["metadata"]["name"] for trial in first["trials"]}
    entry = deployed.history()[0]
    assert (entry["promotion"]["sha256"], entry["outcome"]["result"]) == (first["champion"], "live")
    assert entry["outcome"]["note"].startswith("smoke test passed")


def test_a_prediction_comes_with_the_winners_version(
    deployed: System, first: dict[str, Any]
) -> None:
    import httpx

    row = deployed.read(f"models/{first['champion']}/golden.json")["rows"][0]
    with port_forward("service/api", 80, namespace=SERVING) as url:
        answer = httpx.post(f"{url}/predict", json=row)
    assert answer.status_code == 200
    assert answer.headers["X-Model-Version"] == first["champion"]
    assert answer.json()["predicted_price"] > 0


HOSTILE = """
import json, os, pathlib, sys

trials = pathlib.Path("/models/trials")
winner, champion = sys.argv[1:]
found = {}


def attempt(name, act):
    try:
        act()
        found[name] = "done"
    except OSError as error:
        found[name] = type(error).__name__


def write(path):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text("{}")


attempt("pointer", lambda: write("/models/pointers/boston.json"))
attempt("pointer above", lambda: write(trials / "../pointers/boston.json"))
attempt("verdict", lambda: write("/models/state/verdicts/latest.json"))
attempt("promoted package", lambda: write(f"/models/models/{champion}/card.md"))
attempt("root", lambda: os.setuid(0))
attempt("device", lambda: os.mknod(trials / "device", 0o60600, os.makedev(8, 0)))
(trials / "above").symlink_to("../pointers")
attempt("through a link", lambda: write(trials / "above/boston.json"))
# What it may: change its own package after it was judged, and leave links for others to follow.
(trials / winner / "model.npz").write_bytes(b"changed")
evil = trials / "evil"
evil.mkdir()
for name in ("model.npz", "golden.json", "card.md"):
    (evil / name).write_text("{}")
(evil / "manifest.json").symlink_to(f"/models/models/{champion}/manifest.json")
print(json.dumps(found))
"""


def run_trial(name: str, *command: str) -> str:
    """Run a trial of the shipped Experiment with another command; return what it printed."""
    job = yaml.safe_load(SHIPPED.read_text())["spec"]["trialTemplate"]["trialSpec"]
    job["metadata"] = {"name": name, "namespace": SEARCH}
    job["spec"]["backoffLimit"] = 0
    job["spec"]["template"]["spec"]["containers"][0]["command"] = list(command)
    kubectl("create", "-f", "-", stdin=json.dumps(job))
    place = ("-n", SEARCH, f"job/{name}")
    kubectl("wait", *place, "--for=condition=Complete", f"--timeout={patience(60):.0f}s")
    return kubectl("logs", *place)


def test_a_hostile_trial_changes_nothing_in_production(
    deployed: System, first: dict[str, Any]
) -> None:
    pointer = deployed.read("pointers/boston.json")
    winner = first["details"]["trial"]
    found = json.loads(run_trial("hostile", "python", "-c", HOSTILE, winner, first["champion"]))
    assert "done" not in found.values(), found
    assert len(found) == 7
    # The package that it changed was copied when it was judged; one with links is not read.
    check = deployed.start(["tunegate", "repair", "--check"])
    taken = deployed.run(["tunegate", "promote", "--package=/models/trials/evil", "--no-exit-code"])
    assert taken.ended == "Complete", taken.logs
    assert "not a regular file, but a link" in taken.log
    assert deployed.finish(check).ended == "Complete"
    assert deployed.read("pointers/boston.json") == pointer
    assert set(deployed.served()) == {first["champion"]}


def test_the_smoke_job_tests_each_replica(deployed: System, first: dict[str, Any]) -> None:
    kubectl("create", "job", "-n", SERVING, "--from=cronjob/smoke", f"smoke-{deployed.environment}")
    job = deployed.finish(f"smoke-{deployed.environment}")
    assert job.ended == "Complete", job.logs
    assert job.log.count("ok  golden predictions of http://") == 2


def test_promotion_may_read_experiments_and_nothing_else(deployed: System) -> None:
    def may(verb: str, resource: str, account: str = "promote", namespace: str = SEARCH) -> bool:
        who = f"--as=system:serviceaccount:{SERVING}:{account}"
        job = ["auth", "can-i", verb, resource, "-n", namespace, who]
        return subprocess.run(["kubectl", *job], capture_output=True, check=False).returncode == 0

    assert all(
        may(verb, f"{kind}.kubeflow.org")
        for verb in ("get", "list", "watch")
        for kind in ("experiments", "trials")
    )
    assert not any(
        may(verb, "experiments.kubeflow.org") for verb in ("create", "delete", "patch", "update")
    )
    assert not any(may("get", what) for what in ("secrets", "pods", "configmaps", "jobs.batch"))
    assert not any(
        may("get", what, namespace=SERVING)
        for what in ("secrets", "pods", "experiments.kubeflow.org")
    )
    assert not may("get", "experiments.kubeflow.org", account="api")


def test_a_worse_space_is_kept_out(deployed: System, first: dict[str, Any]) -> None:
    name = deployed.create(experiment("worse", max_depth=("2", "3"), min_samples_leaf=("20", "40")))
    job = deployed.promote(name)
    assert job.ended == "Complete", job.logs
    details = deployed.read("state/deploy_details.json")
    assert details["verdict"] == "keep", details
    assert details["prod_model"] == details["old_model"]
    assert set(deployed.served()) == {first["champion"]}
    assert states(deployed.history()) == ["live"]


def test_an_experiment_without_a_single_good_trial_fails_the_job(
    deployed: System, first: dict[str, Any]
) -> None:
    name = deployed.create(experiment("hopeless", data="nowhere", trials=2))
    job = deployed.promote(name, timeout=patience(300))
    assert job.ended == "Failed"
    assert len(job.logs) == 1, "an outcome that no repetition can change is not repeated"
    assert "hopeless" in job.log
    assert set(deployed.served()) == {first["champion"]}


# Faults


def test_of_two_jobs_at_once_one_promotes(deployed: System, first: dict[str, Any]) -> None:
    words, env = apart(deployed, first)
    jobs = [deployed.start(words, env=env) for _ in range(2)]
    ended = [deployed.finish(job) for job in jobs]
    assert [job.ended for job in ended] == ["Complete", "Complete"], [job.logs for job in ended]
    assert states(apart_history(deployed, env)) == ["live"]


@pytest.mark.parametrize("said", ["gate: both recipes", "created in the ledger"])
def test_a_killed_pod_is_followed_by_one_that_ends_it(
    deployed: System, first: dict[str, Any], said: str
) -> None:
    """Killed with SIGKILL; the Job's next pod takes over at once, without waiting for the lease."""
    words, env = apart(deployed, first)
    ended = killed(deployed, words, env, said)
    assert ended.ended == "Complete", ended.logs
    history = states(apart_history(deployed, env))
    assert history in (["live"], ["reverted", "live"])


def test_a_pod_killed_in_its_smoke_test_leaves_nothing_in_production(
    deployed: System, first: dict[str, Any]
) -> None:
    words, env = apart(deployed, first)
    ended = killed(
        deployed, words, {**env, "TUNEGATE_URL": "http://10.255.255.1:8000"}, "names promotion 1"
    )
    assert ended.ended == "Failed", ended.logs
    assert set(states(apart_history(deployed, env))) == {"reverted"}


def killed(deployed: System, words: list[str], env: dict[str, str], said: str) -> Job:
    """Run a Job whose first pod is killed once it has said something."""
    job = deployed.start(words, env=env)
    pod = await_that(
        lambda: next((p for p in deployed.pods(job) if said in _log(deployed, p)), None),
        f"it says {said}",
    )
    kubectl("delete", "pod", "-n", SERVING, pod["metadata"]["name"], "--grace-period=0", "--force")
    return deployed.finish(job)


def _log(deployed: System, pod: Object) -> str:
    if pod["status"]["phase"] == "Pending":
        return ""
    return deployed.log(pod)


def test_a_volume_that_is_read_only_changes_nothing_and_says_so(
    deployed: System, first: dict[str, Any]
) -> None:
    def read_only(job: Object) -> None:
        job["spec"]["backoffLimit"] = 0
        for mount in job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]:
            mount["readOnly"] = mount["mountPath"] == CLAIM

    words, env = apart(deployed, first)
    job = deployed.run(words, env=env, change=read_only)
    assert job.ended == "Failed"
    assert "Read-only file system" in job.log
    assert set(deployed.served()) == {first["champion"]}
    assert apart_history(deployed, env) == []


def test_a_full_volume_changes_nothing_and_says_so(deployed: System, first: dict[str, Any]) -> None:
    words, env = apart(deployed, first)
    write_to_volume(
        deployed, f"{env['TUNEGATE_STORE'].removeprefix(CLAIM)}/models/.keep", b""
    )  # or the mount would make it root's

    def full(job: Object) -> None:
        job["spec"]["backoffLimit"] = 0
        pod = job["spec"]["template"]["spec"]
        pod["volumes"].append(
            {"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "64Ki"}}
        )
        mount = {"name": "small", "mountPath": f"{env['TUNEGATE_STORE']}/models"}
        pod["containers"][0]["volumeMounts"].append(mount)

    job = deployed.run(words, env=env, change=full)
    assert job.ended == "Failed"
    assert "No space left on device" in job.log
    assert apart_history(deployed, env) == []
    again = deployed.run(words, env=env)  # with room for it
    assert again.ended == "Complete", again.logs
    assert states(apart_history(deployed, env)) == ["live"]


def test_a_registry_that_is_away_leaves_the_champion_serving(
    deployed: System, first: dict[str, Any]
) -> None:
    words, env = apart(deployed, first)

    def once(job: Object) -> None:
        job["spec"]["backoffLimit"] = 0

    job = deployed.run(
        words, env={**env, "TUNEGATE_LEDGER": "http://10.255.255.1:8080"}, change=once
    )
    assert job.ended == "Failed"
    assert "10.255.255.1" in job.log
    assert set(deployed.served()) == {first["champion"]}
    assert deployed.run(words, env=env).ended == "Complete"
    assert states(apart_history(deployed, env)) == ["live"]


LOAD = """
import collections, json, sys, threading, time, httpx
row = json.load(open(sys.argv[1]))["rows"][0]
seen, failed, stop = collections.Counter(), [], time.monotonic() + float(sys.argv[2])
def work():
    with httpx.Client(base_url="http://api", timeout=10) as client:
        while time.monotonic() < stop:
            try:
                answer = client.post("/predict", json=row)
                seen[answer.status_code, answer.headers.get("X-Model-Version")] += 1
            except httpx.HTTPError as error:
                failed.append(repr(error))
threads = [threading.Thread(target=work) for _ in range(8)]
print("loading", flush=True)
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps({"seen": [[*key, count] for key, count in seen.items()], "failed": failed}))
"""


@pytest.mark.parametrize("fault", ["a pod is deleted", "a rollout"])
def test_no_request_is_lost_when_replicas_end(
    deployed: System, first: dict[str, Any], fault: str
) -> None:
    golden = f"{CLAIM}/models/{first['champion']}/golden.json"
    job = deployed.start(["python", "-c", LOAD, golden, "30"])
    await_that(
        lambda: any("loading" in _log(deployed, pod) for pod in deployed.pods(job)),
        "the load begins",
    )
    if fault == "a rollout":
        kubectl("rollout", "restart", "-n", SERVING, "deployment/api")
    else:
        pods = kubectl_json("pods", "-n", SERVING, "-l", "app=api")["items"]
        kubectl("delete", "pod", "-n", SERVING, pods[0]["metadata"]["name"], "--wait=false")
    deployed.rollout()
    found = json.loads(deployed.finish(job).log.splitlines()[-1])
    assert found["failed"] == []
    assert [key[:2] for key in found["seen"]] == [[200, first["champion"]]]
    assert found["seen"][0][2] > 500


# What follows changes what is in production, in this order.


def appraised() -> dict[str, bytes]:
    """Boston with a column more: an appraisal, near the price."""
    generator = random.Random(7)  # noqa: S311 - data, no secret
    source = ROOT / "trainer" / "datasets"
    rows = list(csv.DictReader(io.StringIO((source / "boston.csv").read_text())))
    spec = (source / "boston.toml").read_text()
    target = tomllib.loads(spec)["target"]
    for row in rows:
        row["APPRAISAL"] = f"{float(row[target]) * generator.gauss(1, 0.03):.3f}"
    written = io.StringIO()
    table = csv.DictWriter(written, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return {"data/boston.csv": written.getvalue().encode(), "data/boston.toml": spec.encode()}


@pytest.fixture(scope="module")
def second(deployed: System, first: dict[str, Any]) -> str:
    """Promote a model of better data; returns its version."""
    for path, content in appraised().items():
        write_to_volume(deployed, path, content)
    data = f"{CLAIM}/data/boston.toml"
    # The appraisal tells most: a forest that tries all columns at each split makes the most of it.
    name = deployed.create(
        experiment("better", data=data, max_features=("0.9", "1.0"), min_samples_leaf=("1", "2"))
    )
    flags = (f"--data={data}", "--allow-new-data", "--allow-schema-change")
    job = deployed.promote(name, *flags)
    assert job.ended == "Complete", job.logs
    details = deployed.read("state/deploy_details.json")
    assert details["verdict"] == "promote", job.log
    return str(details["sha256"])


def test_better_data_gets_in(deployed: System, first: dict[str, Any], second: str) -> None:
    assert second != first["champion"]
    assert set(deployed.served()) == {second}
    history = deployed.history()
    assert states(history)[-1] == "live"
    assert history[-1]["promotion"]["previous"] == 1


def script(name: str, *words: str, stdin: bytes = b"") -> bytes:
    """Run one of scripts/deploy; returns its stdout."""
    command = [str(ROOT / "scripts" / "deploy" / name), *words]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def back(deployed: System, first: dict[str, Any], second: str) -> None:
    script("undo", "1", "the appraisals were copied from the prices")
    script("verify")


def test_a_rollback_serves_the_former_champion(
    deployed: System, first: dict[str, Any], back: None
) -> None:
    assert set(deployed.served()) == {first["champion"]}
    newest = json.loads(script("inside", "tunegate", "history", "--json"))[-1]["promotion"]
    assert (newest["kind"], newest["sha256"]) == ("rollback", first["champion"])
    assert newest["reasons"] == ["the appraisals were copied from the prices"]
    details = deployed.read("state/deploy_details.json")
    assert (details["prod_model"]["version"], details["sha256"]) == (
        f"promotion-{newest['number']:04d}",
        first["champion"],
    )


def test_undoing_what_is_undone_changes_nothing(
    deployed: System, first: dict[str, Any], back: None
) -> None:
    before = deployed.history()
    assert b"what was in production is in production" in script("undo", "1")
    assert deployed.history() == before


def test_what_was_exported_serves_again_where_nothing_was_left(
    deployed: System, first: dict[str, Any], back: None, tmp_path: Path
) -> None:
    """As after the loss of a node: a new volume and ledger, the same champion and history."""
    before = deployed.history()
    script("fetch", str(tmp_path / "fetched"))
    deployed.remove()
    with system(tmp_path / "overlay") as fresh:
        for _ in range(2):  # a second time changes nothing
            script("restore", str(tmp_path / "fetched" / "champion.zip"))
        fresh.rollout()
        assert set(fresh.served()) == {first["champion"]}
        assert fresh.history() == before
        script("verify")
