"""Faults that no real API server can be made to have; tests/e2e has a real one."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clocks import Seconds
from support.cluster.api_servers import (
    ApiServer,
    api_server,
    close_connection,
    json_answer,
    list_answer,
    status_answer,
    stream_answer,
)
from support.cluster.recordings import recorded_answers
from support.patience import patience

from katib.cluster import client as module
from katib.cluster.client import KubernetesClient, connect
from katib.cluster.experiments import KatibCluster
from katib.errors import (
    AlreadyExists,
    ClusterError,
    ClusterUnreachable,
    Forbidden,
    Gone,
    Missing,
    Refused,
)
from katib.objects import state

NAME = {"metadata": {"name": "e", "uid": "u", "resourceVersion": "1"}}
REFUSED = [answer for answer in recorded_answers() if answer["refused"]]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as one:
        yield one


@pytest.fixture
def kube(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KubernetesClient]:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path, token="secret")))  # noqa: S106 - a test's
    one = connect()
    yield one
    one.close()


def experiment_object(kind: str, version: str = "1") -> dict[str, object]:
    return {
        "metadata": {**NAME["metadata"], "resourceVersion": version},
        "status": {"conditions": [{"type": kind, "status": "True"}]},
    }


def test_a_request_says_what_it_wants_and_who_asks(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [list_answer(NAME)]
    assert kube.list("trials", "tuning", labels="a=b,c") == ([NAME], "42")
    assert server.requests == [
        "GET /apis/kubeflow.org/v1beta1/namespaces/tuning/trials?labelSelector=a%3Db%2Cc"
    ]
    assert server.headers[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_unreachable(
    server: ApiServer, kube: KubernetesClient, code: int
) -> None:
    server.answers = [status_answer(code, "etcdserver: request timed out")]
    with pytest.raises(ClusterUnreachable, match=r"get jobs tuning/j: HTTP .*etcdserver"):
        kube.get("jobs", "tuning", "j")


@pytest.mark.parametrize("text", ["<html>a proxy's page</html>", "[]", '"text"', "", "{", "\x00"])
def test_an_answer_that_is_not_kubernetes_is_unreachable(
    server: ApiServer, kube: KubernetesClient, text: str
) -> None:
    server.answers = [json_answer(text)]
    with pytest.raises(ClusterUnreachable, match="does not speak as a Kubernetes API server"):
        kube.get("jobs", "tuning", "j")


@pytest.mark.parametrize(
    "document", [{}, {"items": []}, {"items": None, "metadata": {"resourceVersion": "1"}}]
)
def test_a_list_of_another_shape_is_unreachable(
    server: ApiServer, kube: KubernetesClient, document: object
) -> None:
    server.answers = [json_answer(document)]
    with pytest.raises(ClusterUnreachable):
        kube.list("pods", "tuning")


def test_a_connection_that_is_closed_is_unreachable(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [close_connection]
    with pytest.raises(ClusterUnreachable, match="does not answer") as caught:
        kube.get("jobs", "tuning", "j")
    assert "kubectl cluster-info" in caught.value.hint


def test_a_server_that_is_not_there_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api_server() as gone:
        monkeypatch.setenv("KUBECONFIG", str(gone.kubeconfig(tmp_path)))
    with pytest.raises(ClusterUnreachable, match="does not answer"):
        connect().get("jobs", "tuning", "j")


def test_a_server_that_takes_the_request_and_is_silent_is_given_up(
    server: ApiServer, kube: KubernetesClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    server.answers = [lambda _: over.wait(patience(30)) and None]
    monkeypatch.setattr(module, "SILENCE", 0.1)
    with pytest.raises(ClusterUnreachable, match="does not answer"):
        list(kube.watch("jobs", "tuning", version="1", seconds=0.1))
    over.set()


# Refusals


@pytest.mark.parametrize("answer", REFUSED, ids=[answer["name"] for answer in REFUSED])
def test_a_webhooks_refusal_is_told_without_the_noise(
    server: ApiServer, kube: KubernetesClient, answer: dict[str, str]
) -> None:
    message = answer["message"].partition('"STDIN": ')[2]
    assert message.startswith("admission webhook")
    server.answers = [status_answer(400, message)]
    with pytest.raises(Refused) as caught:
        kube.create("experiments", "tuning", NAME)
    text = str(caught.value)
    what = message.partition("denied the request: ")[2]
    assert text.startswith(f"create experiments tuning/e: {what[:60].strip()}")
    assert "admission webhook" not in text
    assert len(text) < 500
    assert caught.value.hint


def test_a_namespace_without_the_label_gets_the_command_that_mends_it(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [
        status_answer(
            403,
            'admission webhook "validator.x" denied the request: '
            'the namespace lacks label "k: enabled"',
        )
    ]
    with pytest.raises(Refused) as caught:
        kube.create("experiments", "tuning", NAME)
    assert caught.value.hint.startswith(
        "`kubectl label namespace tuning katib.kubeflow.org/metrics-collector-injection"
    )


def test_a_webhook_that_is_down_is_no_refusal(server: ApiServer, kube: KubernetesClient) -> None:
    message = (
        'Internal error occurred: failed calling webhook "defaulter.experiment": '
        "connect: connection refused"
    )
    server.answers = [status_answer(500, message, reason="InternalError")]
    with pytest.raises(ClusterUnreachable, match="Katib's controller does not answer") as caught:
        kube.create("experiments", "tuning", NAME)
    assert "kubectl -n kubeflow get pods" in caught.value.hint


def test_missing_rights_are_named(server: ApiServer, kube: KubernetesClient) -> None:
    message = (
        'experiments.kubeflow.org is forbidden: User "ci" cannot create resource '
        '"experiments" in API group'
    )
    server.answers = [status_answer(403, message, reason="Forbidden")]
    with pytest.raises(Forbidden, match=r'may not create experiments: .*User "ci"') as caught:
        kube.create("experiments", "tuning", NAME)
    assert "rolebinding" in caught.value.hint


def test_an_unknown_account_is_told_to_log_in(server: ApiServer, kube: KubernetesClient) -> None:
    server.answers = [status_answer(401, "Unauthorized")]
    with pytest.raises(Forbidden, match="does not know this account"):
        kube.get("jobs", "tuning", "j")


def test_an_object_that_is_not_there_is_missing(server: ApiServer, kube: KubernetesClient) -> None:
    server.answers = [
        status_answer(404, 'jobs.batch "j" not found', details={"name": "j", "kind": "jobs"})
    ]
    with pytest.raises(Missing, match="get jobs tuning/j: not found"):
        kube.get("jobs", "tuning", "j")


def test_a_cluster_without_katib_gets_the_command_that_installs_it(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [json_answer("404 page not found", 404)]
    with pytest.raises(Missing, match="Katib is not installed") as caught:
        kube.list("experiments", "tuning")
    assert caught.value.hint == "`tunegate cluster install`"


def test_a_missing_namespace_is_named(server: ApiServer, kube: KubernetesClient) -> None:
    server.answers = [
        status_answer(
            404, 'namespaces "tuning" not found', details={"name": "tuning", "kind": "namespaces"}
        )
    ]
    with pytest.raises(Missing, match="there is no namespace tuning") as caught:
        kube.create("experiments", "tuning", NAME)
    assert caught.value.hint == "`kubectl create namespace tuning`"


def test_a_taken_name_is_another_error_than_a_refusal(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [status_answer(409, "exists", reason="AlreadyExists")]
    with pytest.raises(AlreadyExists):
        kube.create("experiments", "tuning", NAME)


@pytest.mark.parametrize("code", [302, 400, 409, 415, 422])
def test_every_other_answer_is_a_cluster_error_in_few_words(
    server: ApiServer, kube: KubernetesClient, code: int
) -> None:
    server.answers = [status_answer(code, "x " * 5000)]
    with pytest.raises(ClusterError) as caught:
        kube.get("jobs", "tuning", "j")
    assert len(str(caught.value)) < 500


# Watches


def test_a_watch_yields_events_until_the_server_ends_it(
    server: ApiServer, kube: KubernetesClient
) -> None:
    events = [{"type": "ADDED", "object": NAME}, {"type": "DELETED", "object": NAME}]
    server.answers = [stream_answer(*events)]
    assert list(kube.watch("experiments", "tuning", version="5", seconds=9.7, name="e")) == events
    assert server.requests[0].partition("?")[2].split("&") == [
        "fieldSelector=metadata.name%3De",
        "watch=true",
        "resourceVersion=5",
        "timeoutSeconds=9",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        stream_answer({"type": "ADDED", "object": NAME}, torn=True),
        stream_answer(
            {"type": "ADDED", "object": NAME},
            {"type": "ERROR", "object": {"code": 410, "message": "too old"}},
        ),
        stream_answer({"type": "ADDED", "object": NAME}, "garbage"),
        stream_answer({"type": "ADDED", "object": NAME}, '{"type": "ADDED"}'),
        stream_answer({"type": "ADDED", "object": NAME}, '{"type": "ERROR", "object": {}}'),
    ],
    ids=["torn", "forgotten version", "garbage", "no object", "error without code"],
)
def test_a_watch_that_breaks_says_so_after_what_it_told(
    server: ApiServer, kube: KubernetesClient, answer: object
) -> None:
    server.answers = [answer]  # type: ignore[list-item]
    watch = kube.watch("experiments", "tuning", version="5", seconds=9)
    assert next(watch)["type"] == "ADDED"
    with pytest.raises(ClusterUnreachable):
        next(watch)


def test_a_version_that_is_forgotten_at_once_is_no_other_error(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [status_answer(410, "too old resource version", reason="Expired")]
    with pytest.raises(ClusterUnreachable):
        next(kube.watch("experiments", "tuning", version="5", seconds=9))


def test_an_experiment_is_followed_through_all_of_it(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [
        status_answer(503, "starting"),
        close_connection,
        list_answer(experiment_object("Created")),
        list_answer(),  # Trials
        stream_answer({"type": "BOOKMARK", "object": {"metadata": {}}}, torn=True),
        json_answer("<html>", 502),
        list_answer(experiment_object("Created")),
        list_answer(),
        status_answer(410, "too old resource version"),
        list_answer(experiment_object("Running", "2")),
        list_answer(),
        stream_answer({"type": "ERROR", "object": {"code": 410, "message": "too old"}}),
        list_answer(experiment_object("Running", "2")),
        list_answer(),
        stream_answer({"type": "MODIFIED", "object": experiment_object("Succeeded", "3")}),
        list_answer(),
        list_answer(),
        list_answer(experiment_object("Succeeded", "3")),
    ]
    seen = list(KatibCluster(kube, "tuning", clock=Seconds(), pause=lambda _: None).follow("e"))
    assert [state(each.experiment) for each in seen] == ["Created", "Running", "Succeeded"]


def test_an_experiment_that_vanished_behind_a_broken_connection_is_gone(
    server: ApiServer, kube: KubernetesClient
) -> None:
    server.answers = [
        list_answer(experiment_object("Running")),
        list_answer(),
        close_connection,
        list_answer(),
    ]
    with pytest.raises(Gone):
        list(KatibCluster(kube, "tuning", clock=Seconds(), pause=lambda _: None).follow("e"))


# Connect


def test_without_a_kubeconfig_and_outside_a_cluster_it_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Missing, match="no kubeconfig at") as caught:
        connect()
    assert "KUBECONFIG" in caught.value.hint


def test_in_a_pod_its_own_account_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(Missing, match="oken"):
        connect()  # this is no pod: it has looked for the account's token


def test_a_context_that_the_kubeconfig_does_not_have_is_named(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
    with pytest.raises(Missing, match="context elsewhere: ") as caught:
        connect("elsewhere")
    assert "kubectl config get-contexts" in caught.value.hint


@pytest.mark.parametrize("text", ["{", "[]", "", "a: &a [*a]", "apiVersion: v1"])
def test_a_broken_kubeconfig_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    with pytest.raises(Missing):
        connect()
