"""Why trials on a cluster have ended and the Experiment has no good result, or does not end."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from katib.diagnosis.pod_causes import (
    KILLED_FOR_MEMORY,
    OUT_OF_MEMORY,
    Cause,
    Object,
    failed_exits,
    job_of,
)
from katib.metrics_collector import UNAVAILABLE, number
from katib.objects import (
    has_observation,
    is_finished,
    last_condition,
    objective_name,
    state,
)

RAISE_MEMORY = "raise resources.limits.memory in the template"


def has_value(trial: Object) -> bool:
    """Whether a Trial has succeeded with a finite objective."""
    if state(trial) != "Succeeded":
        return False
    name = objective_name(trial)
    metrics = trial.get("status", {}).get("observation", {}).get("metrics") or ()
    entry: Object = next((m for m in metrics if m.get("name") == name), {})
    return any(number(entry.get(key, UNAVAILABLE)) is not None for key in ("min", "max", "latest"))


def result_causes(snapshot: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield why no Trial, or only few of them, have a value although some have ended."""
    ended = [trial for trial in snapshot["trials"] if is_finished(trial)]
    if any(map(has_value, ended)):
        yield from _few_number_causes(snapshot, ended)
        return
    counts = Counter(map(state, ended))
    metric = objective_name(snapshot["experiment"])
    if counts["Failed"]:
        yield _all_fail_cause(snapshot, [trial for trial in ended if state(trial) == "Failed"])
    if count := counts["MetricsUnavailable"]:
        evidence = f"{count} of {len(ended)} trials ended without printing {metric}"
        fix = f"print `{metric}=<number>` on a line of its own, at the end"
        yield Cause("metrics unavailable", evidence, fix)
    if count := counts["Succeeded"]:
        evidence = f"{count} of {len(ended)} trials succeeded, none with a finite {metric}"
        yield Cause("not a number", evidence, _instead_of_nan(metric))


def _few_number_causes(snapshot: Mapping[str, Any], ended: list[Object]) -> Iterator[Cause]:
    """Yield that most of the trials that ran to their end have no number, or Katib's best."""
    experiment = snapshot["experiment"]
    complete = [each for each in ended if state(each) in {"Succeeded", "MetricsUnavailable"}]
    without = [trial["metadata"]["name"] for trial in complete if not has_value(trial)]
    status = experiment.get("status", {})
    best = (status.get("currentOptimalTrial") or {}).get("bestTrialName")
    if 2 * len(without) <= len(complete) and best not in without:
        return
    metric = objective_name(experiment)
    evidence = f"{len(without)} of {len(complete)} trials that ran to their end have no {metric}"
    if best in without:
        evidence += f"; Katib's best trial, {best}, is one of them"
    yield Cause("not a number", evidence, _instead_of_nan(metric))


def _instead_of_nan(metric: str) -> str:
    return f"let the trial fail instead of printing {metric}=nan; Katib takes it as best"


def _all_fail_cause(snapshot: Mapping[str, Any], failed: list[Object]) -> Cause:
    names = [trial["metadata"]["name"] for trial in failed]
    pods = [pod for pod in snapshot["pods"] if job_of(pod) in names]
    exits = [each for pod in pods for each in failed_exits(pod)]
    if exits:
        container, why = exits[0]
        why = f"container {container}: {why}"
    else:
        last = last_condition(failed[0])
        why = f"{last.get('reason', '')}: {last.get('message', '')}"
    counts = f"{len(failed)} of {len(snapshot['trials'])} trials have failed, none has a result"
    evidence = f"{counts}; {names[0]}: {why}"
    if exits and KILLED_FOR_MEMORY in why:
        return Cause(f"all trials fail: {OUT_OF_MEMORY}", evidence, RAISE_MEMORY)
    selector = f"-l katib.kubeflow.org/trial={names[0]} --all-containers --tail=20"
    fix = f"`kubectl logs -n {snapshot['where']} {selector}`"
    if not pods:  # Katib deletes a failed Trial's Job, and its logs with it, at once
        fix = f"set spec.trialTemplate.retain: true, create it again, then {fix}"
    return Cause("all trials fail", evidence, fix)


def waiting_causes(snapshot: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield that the Experiment waits for ever for early-stopped Trials without observation.

    Katib deletes the Job of such a Trial before it reads its reports, unless `retain` is true, and
    then asks for one point less for each of them (katib#1377).
    """
    trials = snapshot["trials"]
    if is_finished(snapshot["experiment"]) or not all(map(is_finished, trials)):
        return
    jobs = {job["metadata"]["name"] for job in snapshot["jobs"]}
    stopped = [
        trial
        for trial in trials
        if state(trial) == "EarlyStopped"
        and trial["metadata"]["name"] not in jobs
        and not has_observation(trial)
    ]
    if not stopped:
        return
    evidence = (
        f"{state(snapshot['experiment'])}, and nothing runs: {len(stopped)} of {len(trials)} trials"
        " are EarlyStopped without observation, and Katib asks for one point less for each"
    )
    fix = (
        f"`{_observe_command(stopped, snapshot['where'])}`; for later Experiments set "
        "spec.trialTemplate.retain: true, or let our service stop the trials: docs/suggestion.md"
    )
    yield Cause("waits for early-stopped trials", evidence, fix)


def _observe_command(stopped: list[Object], namespace: str) -> str:
    """Return the command that gives each Trial its rule's limit as observation.

    The reports have gone with the Job; the Trial was stopped because its value was worse.
    """
    metric = objective_name(stopped[0])
    pairs = " ".join(f"{trial['metadata']['name']}={_limit(trial, metric)}" for trial in stopped)
    value = "\0"
    entry = {"name": metric, "min": value, "max": value, "latest": value}
    patch = json.dumps({"status": {"observation": {"metrics": [entry]}}}, separators=(",", ":"))
    patch = patch.replace(json.dumps(value), "\"'${each#*=}'\"")
    return (
        f"for each in {pairs}; do kubectl patch trial ${{each%%=*}} -n {namespace} "
        f"--subresource=status --type=merge -p '{patch}'; done"
    )


def _limit(trial: Object, metric: str) -> str:
    rules = trial["spec"].get("earlyStoppingRules") or ()
    return str(next((rule["value"] for rule in rules if rule["name"] == metric), 0))
