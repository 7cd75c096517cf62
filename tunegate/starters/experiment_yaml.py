"""Writes the Experiment that a table begins with: one that runs here and on Katib as it is."""

import json
import re
import shlex
from collections.abc import Sequence

from registry.package.metrics import HIGHER_IS_BETTER, METRICS
from trainer.profile import TableProfile
from tunegate.starters.learner_choice import FOREST, FOREST_ONLY, LearnerChoice
from tunegate.starters.search_plan import SearchParameter, SearchPlan, plan_search

LONGEST_NAME = 47  # Katib adds to it for trials, Kubernetes for their pods
REPORTED = {"regression": ("rmse", "mae", "r2"), "classification": ("accuracy", "auc")}
TREES_COMMENT = (
    "  # The number of trees is not searched: more of them only cost time. Leaf sizes have a"
)
PLAIN_YAML = re.compile(r"[\w./-]+")


def render_experiment(
    profile: TableProfile,
    spec_path: str,
    *,
    name: str,
    learners: LearnerChoice = FOREST_ONLY,
    include: Sequence[str] = (),
) -> str:
    """Return the Experiment's YAML, commented.

    Args:
        profile: the table's.
        spec_path: the spec, as the trial's `--data` names it.
        name: the data set's.
        learners: what the search chooses among.
        include: dropped columns that the trials learn from after all.
    """
    plan = plan_search(profile, learners)
    sections = [
        _head(profile, plan, spec_path),
        _metadata(name, plan),
        _objective(profile),
        _budget(plan),
        _parameters(plan),
        _trial_template(plan, spec_path, include),
    ]
    return "\n".join(line for section in sections for line in section) + "\n"


def search_name(name: str, learners: Sequence[str]) -> str:
    """Return an Experiment's name for a data set: lower-case letters, digits and `-`."""
    kind = "models"
    if len(learners) == 1:
        kind = learners[0].replace("random_forest", "forest").replace("_", "-")
    plain = name.replace("_", "-")[: LONGEST_NAME - len(kind) - 1].strip("-")
    return f"{plain}-{kind}"


def _head(profile: TableProfile, plan: SearchPlan, spec_path: str) -> list[str]:
    return [
        f"# The search for a model of {_comment(profile.target.name)},",
        "# written by `tunegate init`, yours to edit.",
        "#",
        f"# {profile.rows:,} rows and {len(profile.kept)} columns to learn from:",
        f"# {_size_text(plan)}.",
        "# Larger tables get fewer of each, so that a search ends within minutes on two cores.",
        "#",
        "# On this machine nothing has to change. On a cluster, Katib runs the same file after you",
        "# have set `image` (one that contains the spec and the table, or mounts them) and the",
        "# `claimName` of the volume for models; both are marked CLUSTER below. The table is named",
        f"# once, in {_comment(spec_path)}.",
    ]


def _size_text(plan: SearchPlan) -> str:
    if plan.learners == (FOREST,):
        return f"{plan.trials} trials of {plan.trees} trees and {plan.folds} folds"
    return f"{plan.trials} trials of {plan.folds} folds"


def _comment(text: str) -> str:
    return " ".join(text.split())


def _metadata(name: str, plan: SearchPlan) -> list[str]:
    return [
        "apiVersion: kubeflow.org/v1beta1",
        "kind: Experiment",
        "metadata:",
        f"  name: {search_name(name, plan.learners)}",
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
    lines = [*_space_comment(plan), "  parameters:"]
    for parameter in plan.parameters:
        lines += [
            f"    - name: {parameter.name} # {parameter.meaning}",
            f"      parameterType: {parameter.kind}",
            f"      feasibleSpace: {parameter.space}",
        ]
    return lines


def _space_comment(plan: SearchPlan) -> list[str]:
    if plan.learners == (FOREST,):
        return [
            TREES_COMMENT,
            "  # logarithmic scale: 1 or 2 makes a difference, 19 or 20 does not.",
        ]
    if len(plan.learners) == 1:
        return [f"  # What the table of learners searches of {plan.learners[0]} (docs/models.md)."]
    return [
        "  # `model` chooses the learner. Katib gives every trial all parameters; one whose name",
        "  # begins with a learner's counts for that learner only, and the trainer ignores the",
        "  # others. tunegate's sampler knows it from the names; Katib's own learn from all.",
    ]


def _trial_template(plan: SearchPlan, spec_path: str, include: Sequence[str]) -> list[str]:
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
        f"                  - {_text_flag('data', spec_path)}",
        *(f"                  - {_text_flag('include', name)}" for name in include),
        *(f"                  - {flag}" for flag in plan.fixed),
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


def _reference(parameter: SearchParameter) -> list[str]:
    return [
        f"      - name: {parameter.trial_name}",
        f"        description: {parameter.meaning}",
        f"        reference: {parameter.name}",
    ]


def _flag(parameter: SearchParameter) -> str:
    flag = parameter.name.replace("_", "-")
    return f"                  - --{flag}=${{trialParameters.{parameter.trial_name}}}"


def _text_flag(name: str, value: str) -> str:
    """Return a flag as YAML; quoted for the shell, by which Katib runs the joined words."""
    flag = f"--{name}={shlex.quote(value)}"
    if PLAIN_YAML.fullmatch(value):
        return flag
    return json.dumps(flag, ensure_ascii=False)
