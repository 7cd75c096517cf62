"""Patch Katib's configuration: read the ConfigMap `katib-config` as JSON, write the patched one.

`python -m katib.suggestion.register ENTRIES [--replace ALGORITHM]... [--image IMAGE]` goes from
stdin to stdout, between `kubectl get` and `kubectl replace`, which refuses if the ConfigMap has
changed meanwhile. The configuration is one text within the ConfigMap, which no patch of Kubernetes
or Kustomize can change in part.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CONFIG_KEY = "katib-config.yaml"
Entry = dict[str, Any]


def register_entries(
    config: str, entries: Mapping[str, list[Entry]], replace: tuple[str, ...] = ()
) -> str:
    """Return the configuration with each entry under its own name.

    The first entry of a list is also registered under the names to replace. Registering again
    changes nothing.

    Args:
        config: Katib's configuration, as YAML.
        entries: by the list of `runtime` that they are for: `suggestions` and `earlyStoppings`.
        replace: names of algorithms.

    Raises:
        ValueError: when this is no configuration of Katib, or a name to replace is not in it.
    """
    document = yaml.safe_load(config)
    try:
        runtime = {"earlyStoppings": [], **document["runtime"]}
        registered = {
            kind: {each["algorithmName"]: each for each in runtime[kind] or ()} for kind in entries
        }
    except (TypeError, KeyError) as error:
        raise ValueError(
            f"{CONFIG_KEY} has no runtime.suggestions: is this the ConfigMap katib-config of Katib?"
        ) from error
    known = [name for kind in registered.values() for name in kind]
    if unknown := [name for name in replace if name not in known]:
        raise ValueError(
            f"{', '.join(unknown)} is not registered, so there is nothing to replace:"
            f" {', '.join(known)}"
        )
    for kind, ours in entries.items():
        replacing = [
            {**ours[0], "algorithmName": name} for name in replace if name in registered[kind]
        ]
        registered[kind] |= {each["algorithmName"]: each for each in [*ours, *replacing]}
    document["runtime"] |= {kind: list(each.values()) for kind, each in registered.items()}
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out each time: an anchor is an invitation to change two places at once."""

    def ignore_aliases(self, _data: object) -> bool:
        """Never refer back."""
        return True


def patch_stdin() -> int:
    """Read, patch, write; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m katib.suggestion.register", description=__doc__.partition(":")[0]
    )
    parser.add_argument("entries", type=Path, help="manifests/components/suggestion/entries.yaml")
    parser.add_argument(
        "--replace", action="append", default=[], help="serve this one of Katib's too"
    )
    parser.add_argument("--image", help="another image than the entries name")
    options = parser.parse_args()
    entries = yaml.safe_load(options.entries.read_text(encoding="utf-8"))
    image = {"image": options.image} if options.image else {}
    entries = {kind: [entry | image for entry in ours] for kind, ours in entries.items()}
    try:
        config = json.load(sys.stdin)
        config["data"][CONFIG_KEY] = register_entries(
            config["data"][CONFIG_KEY], entries, tuple(options.replace)
        )
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (KeyError, TypeError, yaml.YAMLError):
        sys.stderr.write("no ConfigMap katib-config\n")
        return 2
    json.dump(config, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(patch_stdin())
