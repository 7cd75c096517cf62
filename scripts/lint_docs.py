"""Print docs/lint.md from lint's own rules, so that the page cannot fall behind.

python scripts/lint_docs.py > docs/lint.md
"""

from collections.abc import Iterator

from katib.lint.catalogue import Rule, all_rules, example_experiment

HEAD = """# What lint finds

`scripts/lint_docs.py` makes this page from `katib/lint/catalogue.toml`, the one place with all
rules and their examples.

```sh
tunegate lint manifests/experiment.yaml            # files, folders, or - for stdin
kustomize build overlays/team | tunegate lint -    # every Experiment of a stream
tunegate lint --diff experiment.yaml               # what --fix would change
tunegate lint --on katib --format sarif . > lint.sarif
```

A finding reads `severity: file:line:column: code field: what is wrong (what to do)`. Below the
first finding of each code, lint explains why it matters. An **error** is refused, or certainly ends
in a hang, a failure or a silent loss. A **warning** works, but seldom as meant. A **note** is worth
knowing.

| exit code | |
|---|---|
| 0 | no errors; warnings and notes do not fail (with `--strict`, warnings do) |
| 2 | errors are left, a file cannot be read, or a flag is wrong |

Tell lint where the Experiment is to run. `--on katib` leaves out the K3xx, which concern only this
machine, and makes algorithms that Katib does not ship a warning. `--on local` makes the K3xx
errors, as `tunegate tune` does. Without `--on`, the K3xx are notes. `--ignore CODE` leaves out a
code.

YAML is read as `kubectl` reads it: `y` and `on` are booleans, `010` is 8, `64:32` and dates are
text. In folders and streams, objects of others are passed over: resource definitions,
kustomizations, Experiments of Argo Rollouts. A folder's files are searched before they are parsed,
so a large repository takes seconds.

Commands are read as Katib's webhook changes them: it joins the words without quoting, appends a
redirection (for StdOut) and the marker that its collector waits for, and passes all to a shell. The
local engine runs the same text where a shell would not pass the words as they are written; what is
not searched for metrics stands at the end of a trial's `output.log`.

`--fix` changes single words and lines of the text, nothing else: comments, order and layout stay.
It fixes only what has one meaning: quotes around numbers and none around counts, the case of words,
fields that are surely misspelt, fields that must not be there, the line break at a script's end. A
file is replaced whole or not at all; a second `--fix` changes nothing. For stdin, the fixed text
goes to stdout.

Lint does not check what the document does not show: whether the namespace on the cluster has
Katib's label (lint checks a Namespace in the same stream), whether images, volumes and Secrets
exist, what a program prints, what is inside a template of a kind that is neither a `batch/v1` Job
nor a job of Kubeflow's, and what another katib-config than Katib's own allows.

| codes | |
|---|---|
| K0xx | the text holds no Experiment |
| K1xx | Katib's webhook, or the API server, refuses it |
| K2xx | Katib accepts it, and then hangs, fails, or silently does something else |
| K3xx | Katib runs it, the local engine does not |

The examples are pieces of this Experiment, in which lint finds nothing:
"""


def render() -> str:
    """Return the whole page."""
    rows = "\n".join(_table_row(rule) for rule in all_rules().values())
    table = f"| code | severity | what | `--fix` |\n|---|---|---|---|\n{rows}\n"
    sections = "\n".join("\n".join(_section_lines(rule)) for rule in all_rules().values())
    return f"{HEAD}\n```yaml\n{example_experiment()}```\n\n{table}\n{sections}"


def _table_row(rule: Rule) -> str:
    fixable = "yes" if rule.fixable else ""
    return f"| [{rule.code}](#{rule.code.lower()}) | {rule.severity} | {rule.what} | {fixable} |"


def _section_lines(rule: Rule) -> Iterator[str]:
    fixable = " `--fix` fixes it." if rule.fixable else ""
    yield f"## {rule.code}\n"
    yield f"{rule.what[0].upper()}{rule.what[1:]}. *{rule.severity.capitalize()}.*{fixable}\n"
    yield f"{rule.why}\n"
    yield f"```yaml\n# fails\n{rule.failing.strip()}\n\n# passes\n{rule.passing.strip()}\n```\n"


if __name__ == "__main__":
    print(render(), end="")
