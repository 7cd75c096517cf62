"""Writes the Experiment that a table begins with: one that runs here and on Katib as it is."""

import json
import re

from registry.package.metrics import HIGHER_IS_BETTER, METRICS
from trainer.profile import TableProfile
from tunegate.starters.search_plan import FOREST, SearchParameter, SearchPlan, plan_search

LONGEST_NAME = 47  # Katib adds to it for trials, Kubernetes for their pods
REPORTED = {"regression": ("rmse", "mae", "r2"), "classification": ("accuracy", "auc")}
FOREST_SPACE = (
    "  # The number of trees is not searched: more of them only cost time. Leaf sizes have a",
    "  # logarithmic scale: 1 or 2 makes a difference, 19 or 20 does not.",
)
PLAIN_YAML = re.compile(r"[\w./-]+")


def render_experiment(
    profile: TableProfile, spec_path: str, *, name: str, model: str = FOREST
) -> str:
    """Return the Experiment's YAML, commented.

    Args:
        profile: the table's.
        spec_path: the spec, as the trial's `--data` names it.
        name: the data set's.
        model: the learner's name.

    Raises:
        ParameterError: when there is no such learner, or it is not for the table's task.
    """
    plan = plan_search(profile, model)
    sections = [
        _head(profile, plan, spec_path),
        _metadata(search_name(name, model)),
        _objective(profile),
        _budget(plan),
        _parameters(plan),
        _trial_template(plan, spec_path),
    ]
    return "\n".join(line for section in sections for line in section) + "\n"


def search_name(name: str, model: str) -> str:
    """Return an Experiment's name for a data set: lower-case letters, digits and `-`."""
    end = "forest" if model == FOREST else model.replace("_", "-")
    plain = name.replace("_", "-")[: LONGEST_NAME - len(end) - 1].strip("-")
    return f"{plain}-{end}"


def _head(profile: TableProfile, plan: SearchPlan, spec_path: str) -> list[str]:
    return [
        f"# The search for a model of {_comment(profile.target.name)},",
        "# written by `tunegate init`, yours to edit.",
        "#",
        f"# {profile.rows:,} rows and {len(profile.kept)} columns to learn from:",
        f"# {plan.trials} trials of {plan.words} and {plan.folds} folds.",
        "# Larger tables get fewer of each, so that a search ends within minutes on two cores.",
        "#",
        "# On this machine nothing has to change. On a cluster, Katib runs the same file after you",
        "# have set `image` (one that contains the spec and the table, or mounts them) and the",
        "# `claimName` of the volume for models; both are marked CLUSTER below. The table is named",
        f"# once, in {_comment(spec_path)}.",
    ]


def _comment(text: str) -> str:
    return " ".join(text.split())


def _metadata(name: str) -> list[str]:
    return [
        "apiVersion: kubeflow.org/v1beta1",
        "kind: Experiment",
        "metadata:",
        f"  name: {name}",
        "  namespace: tunegate-search # CLUSTER: one with Katib's label",
        "  annotations:",
        "    tunegate.dev/schedule: batch # for the local engine: the same search, byte for byte",
        "spec:",
    ]


def _objective(profile: TableProfile) -> list[str]:
    target = profile.target
    if target.metric in HIGHER_IS_BETTER:
        direction = "maximize"
    else:
        direction = "minimize"
    known = METRICS[target.task]
    others = [name for name in REPORTED[target.task] if name in known and name != target.metric]
    return [
        "  objective:",
        f"    type: {direction}",
        f"    objectiveMetricName: {target.metric} # the spec's `metric`; mean over the folds",
        f"    additionalMetricNames: [{', '.join(others)}]",
    ]


def _budget(plan: SearchPlan) -> list[str]:
    return [
        "  algorithm:",
        "    algorithmName: tpe",
        "    algorithmSettings:",
        '      - { name: random_state, value: "1" }',
        f"  parallelTrialCount: {plan.parallel}",
        f"  maxTrialCount: {plan.trials}",
        f"  maxFailedTrialCount: {max(2, plan.trials // 4)}",
    ]


def _parameters(plan: SearchPlan) -> list[str]:
    reason: tuple[str, ...] = FOREST_SPACE
    if plan.model != FOREST:
        reason = (f"  # Ranges and scales are those that the trainer states for {plan.model}.",)
    lines = [*reason, "  parameters:"]
    for parameter in plan.parameters:
        lines += [
            f"    - name: {parameter.name} # {parameter.meaning}",
            f"      parameterType: {parameter.kind}",
            f"      feasibleSpace: {parameter.space}",
        ]
    return lines


def _trial_template(plan: SearchPlan, spec_path: str) -> list[str]:
    references = [_reference(parameter) for parameter in plan.parameters]
    flags = [_flag(parameter) for parameter in plan.parameters]
    return [
        "  trialTemplate:",
        "    primaryContainerName: trainer",
        "    trialParameters:",
        "      - name: trial",
        "        description: the trial's own name",
        '        reference: "${trialSpec.Name}"',
        *(line for lines in references for line in lines),
        "    trialSpec:",
        "      apiVersion: batch/v1",
        "      kind: Job",
        "      spec:",
        "        backoffLimit: 1",
        f"        activeDeadlineSeconds: {plan.seconds}",
        "        template:",
        "          metadata:",
        "            annotations:",
        '              sidecar.istio.io/inject: "false"',
        "          spec:",
        "            restartPolicy: Never",
        "            automountServiceAccountToken: false",
        "            securityContext:",
        "              runAsNonRoot: true",
        "              runAsUser: 10001",
        "              runAsGroup: 10001",
        "              fsGroup: 10001",
        "              seccompProfile: { type: RuntimeDefault }",
        "            containers:",
        "              - name: trainer",
        "                image: localhost/tunegate-trainer:0.2.0 # CLUSTER: yours, with the table",
        "                imagePullPolicy: IfNotPresent",
        "                command:",
        "                  - python",
        "                  - -m",
        "                  - trainer",
        f"                  - {_yaml_text(f'--data={spec_path}')}",
        *_fixed_flags(plan),
        f"                  - --folds={plan.folds}",
        *flags,
        "                  - --output=/models/trials/${trialParameters.trial}",
        "                resources:",
        "                  requests: { cpu: 250m, memory: 256Mi }",
        '                  limits: { cpu: "1", memory: 2Gi }',
        "                securityContext:",
        "                  allowPrivilegeEscalation: false",
        "                  readOnlyRootFilesystem: true",
        "                  capabilities: { drop: [ALL] }",
        "                volumeMounts:",
        "                  - { name: models, mountPath: /models/trials, subPath: trials }",
        "            volumes:",
        "              - name: models",
        "                persistentVolumeClaim: { claimName: tunegate-models } # CLUSTER: yours",
    ]


def _fixed_flags(plan: SearchPlan) -> list[str]:
    flags = []
    if plan.model != FOREST:
        flags.append(f"                  - --model={plan.model}")
    if plan.trees:
        flags.append(f"                  - --n-estimators={plan.trees}")
    return flags


def _reference(parameter: SearchParameter) -> list[str]:
    return [
        f"      - name: {parameter.trial_name}",
        f"        description: {parameter.meaning}",
        f"        reference: {parameter.name}",
    ]


def _flag(parameter: SearchParameter) -> str:
    flag = parameter.name.replace("_", "-")
    return f"                  - --{flag}=${{trialParameters.{parameter.trial_name}}}"


def _yaml_text(text: str) -> str:
    if PLAIN_YAML.fullmatch(text.removeprefix("--data=")):
        return text
    return json.dumps(text, ensure_ascii=False)
