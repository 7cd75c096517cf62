"""The patch of Katib's configuration, as the shell script pipes it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import environment

ENTRIES = Path(__file__).parents[3] / "manifests" / "components" / "suggestion" / "entries.yaml"
CONFIG = """
apiVersion: config.kubeflow.org/v1beta1
kind: KatibConfig
init: {controller: {webhookPort: 8443}}
runtime:
  metricsCollectors:
    - {kind: StdOut, image: "collector:1"}
  suggestions:
    - &random
      algorithmName: random
      image: other:1
      resources: {limits: {cpu: -1}}
    - {<<: *random, algorithmName: tpe}
    - algorithmName: bayesianoptimization
      image: skopt:1
  earlyStoppings:
    - {algorithmName: medianstop, image: "theirs:1"}
"""


def config_map(config: str = CONFIG) -> dict[str, Any]:
    metadata = {"name": "katib-config", "namespace": "kubeflow", "resourceVersion": "7"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"katib-config.yaml": config},
    }


def register(config: object, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "katib.suggestion.register", str(ENTRIES), *options]
    text = config if isinstance(config, str) else json.dumps(config)
    return subprocess.run(
        command, input=text, env=environment(), capture_output=True, text=True, check=False
    )


def registered(
    done: "subprocess.CompletedProcess[str]", kind: str = "suggestions"
) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    document = yaml.safe_load(json.loads(done.stdout)["data"]["katib-config.yaml"])
    return {each.pop("algorithmName"): each for each in document["runtime"][kind]}


def test_our_services_are_added_under_their_own_name_and_nothing_else_changes() -> None:
    done = register(config_map())
    before = yaml.safe_load(CONFIG)
    after = yaml.safe_load(json.loads(done.stdout)["data"]["katib-config.yaml"])
    for kind, (ours,) in yaml.safe_load(ENTRIES.read_text()).items():
        before["runtime"][kind].append(ours)
    assert after == before
    assert json.loads(done.stdout) == config_map(
        json.loads(done.stdout)["data"]["katib-config.yaml"]
    )


def test_it_takes_the_place_of_an_algorithm_where_that_is_wanted() -> None:
    found = registered(
        register(config_map(), "--replace", "bayesianoptimization", "--image", "registry/ours:2")
    )
    assert found["bayesianoptimization"] == found["tunegate"]
    assert found["tunegate"]["image"] == "registry/ours:2"
    assert found["tpe"]["image"] == "other:1"


def test_it_takes_the_place_of_katibs_early_stopping_where_that_is_wanted() -> None:
    done = register(
        config_map(), "--replace", "medianstop", "--replace", "tpe", "--image", "registry/ours:2"
    )
    stopping = registered(done, "earlyStoppings")
    suggestions = registered(done)
    assert stopping.keys() == {"medianstop", "tunegate"}
    assert stopping["medianstop"] == stopping["tunegate"]
    assert stopping["tunegate"]["image"] == suggestions["tpe"]["image"] == "registry/ours:2"
    assert "medianstop" not in suggestions


@pytest.mark.parametrize("none", ["", "  earlyStoppings:\n", "  earlyStoppings: []\n"])
def test_a_configuration_without_early_stopping_gets_it(none: str) -> None:
    done = register(config_map(CONFIG[: CONFIG.index("  earlyStoppings")] + none))
    assert registered(done, "earlyStoppings").keys() == {"tunegate"}
    assert registered(done).keys() == {"random", "tpe", "bayesianoptimization", "tunegate"}


def test_what_was_replaced_comes_back_even_after_a_second_image() -> None:
    names = ("--replace", "tpe", "--replace", "medianstop")
    once = register(config_map(), *names)
    again = register(once.stdout, *names, "--image", "registry/ours:2")
    back = register(again.stdout, "--restore")
    assert back.returncode == 0, back.stderr
    restored = json.loads(back.stdout)
    text = restored["data"]["katib-config.yaml"]
    assert yaml.safe_load(text) == yaml.safe_load(CONFIG)
    assert restored == config_map(text)  # without a trace
    assert register(back.stdout, "--restore").stdout == back.stdout


def test_doing_it_again_changes_nothing() -> None:
    names = ("--replace", "tpe", "--replace", "medianstop")
    once = register(config_map(), *names)
    assert register(once.stdout, *names).stdout == once.stdout


def test_its_memory_is_named_and_no_port_which_katib_sets_itself() -> None:
    done = register(config_map())
    for ours in (registered(done)["tunegate"], registered(done, "earlyStoppings")["tunegate"]):
        assert ours["resources"]["limits"]["memory"] != "100Mi"
        assert "ports" not in ours


def test_early_stopping_is_registered_with_what_katib_takes_and_is_what_the_image_runs() -> None:
    """Katib v0.19 passes over every other field of the entry, `command` among them."""
    ours = registered(register(config_map()), "earlyStoppings")["tunegate"]
    assert ours.keys() == {"image", "imagePullPolicy", "resources"}
    dockerfile = (ENTRIES.parents[3] / "Dockerfile").read_text()
    stage = dockerfile.partition("AS suggestion\n")[2].partition("FROM ")[0]
    assert json.loads(stage.rpartition("CMD ")[2]) == ["python", "-m", "katib.earlystopping"]


@pytest.mark.parametrize(
    ("config", "options", "words"),
    [
        ("", (), "Expecting value"),
        ("[]", (), "no ConfigMap katib-config"),
        ({"data": {}}, (), "no ConfigMap katib-config"),
        (config_map("runtime: {}"), (), "has no runtime.suggestions"),
        (config_map("a: ["), (), "no ConfigMap katib-config"),
        (
            config_map(),
            ("--replace", "magic"),
            "magic is not registered, so there is nothing to replace: random, tpe",
        ),
    ],
)
def test_what_is_no_configuration_of_katib_is_refused(
    config: object, options: tuple[str, ...], words: str
) -> None:
    done = register(config, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
