"""Print docs/lint.md from lint's own rules, so that the page cannot fall behind: python scripts/lint_docs.py."""

from collections.abc import Iterator

from katib.lint.catalogue import Rule, example, rules

HEAD = """# What lint finds

Made by `scripts/lint_docs.py` from `katib/lint/catalogue.toml`, the one place where the rules and their examples stand.

```sh
tunegate lint manifests/experiment.yaml            # files, folders, or - for stdin
kustomize build overlays/team | tunegate lint -    # every Experiment of a stream, whatever stands beside it
tunegate lint --diff experiment.yaml               # what --fix would change
tunegate lint --on katib --format sarif . > lint.sarif
```

A finding reads `severity: file:line:column: code field: what is wrong (what to do)`; below the first one of each code
stands why it matters. An **error** is refused, or ends in a hang, a failure or a silent loss for certain. A **warning**
works, but seldom as meant. A **note** is worth knowing.

| exit code | |
|---|---|
| 0 | no errors; warnings and notes do not fail (with `--strict`, warnings do) |
| 2 | errors are left, a file cannot be read, or a flag is wrong |

Where it is to run decides about two things. `--on katib` leaves the K3xx out, which only this machine minds, and lets
algorithms pass with a warning that Katib does not bring. `--on local` makes the K3xx count as errors, as `tunegate
tune` does. Without it they are notes. `--ignore CODE` passes over a code.

`--fix` changes single words and lines of the text, nothing else: comments, order and layout stay. It mends only what
has one meaning: quotes around numbers and none around counts, the case of words, fields that are surely misspelt,
fields that must not be there. A file is replaced whole or not at all; a second `--fix` changes nothing. stdin comes out
mended on stdout.

Not checked, because the document does not show it: whether the namespace on the cluster has Katib's label (it is
checked when the Namespace stands in the same stream), whether images, volumes and Secrets exist, what a program prints,
what is inside a template of another kind than `batch/v1` Job, and what another katib-config than Katib's own allows.

| codes | |
|---|---|
| K0xx | it is no Experiment |
| K1xx | Katib's webhook, or the API server, refuses it |
| K2xx | Katib accepts it, and then hangs, fails, or silently does something else |
| K3xx | Katib runs it, the engine of one machine does not |

The examples are pieces of this Experiment, in which lint finds nothing:
"""


def render() -> str:
    """Return the whole page."""
    sections = "\n".join(_section(rule) for rule in rules().values())
    return f"{HEAD}\n```yaml\n{example()}```\n\n{_table()}\n{sections}"


def _table() -> str:
    rows = "\n".join(map(_row, rules().values()))
    return f"| code | severity | what | `--fix` |\n|---|---|---|---|\n{rows}\n"


def _row(rule: Rule) -> str:
    return f"| [{rule.code}](#{rule.code.lower()}) | {rule.severity} | {rule.what} | {'yes' if rule.mends else ''} |"


def _section(rule: Rule) -> str:
    return "\n".join(_lines(rule))


def _lines(rule: Rule) -> Iterator[str]:
    mends = " `--fix` mends it." if rule.mends else ""
    yield f"## {rule.code}\n"
    yield f"{rule.what[0].upper()}{rule.what[1:]}. *{rule.severity.capitalize()}.*{mends}\n"
    yield f"{rule.why}\n"
    yield f"```yaml\n# fails\n{rule.failing.strip()}\n\n# passes\n{rule.passing.strip()}\n```\n"


if __name__ == "__main__":
    print(render(), end="")
