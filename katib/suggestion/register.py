"""Patch Katib's configuration: read the ConfigMap `katib-config` as JSON, write the patched one.

`python -m katib.suggestion.register ENTRIES [--replace ALGORITHM]... [--image IMAGE]` goes from
stdin to stdout, between `kubectl get` and `kubectl replace`, which refuses if the ConfigMap has
changed meanwhile. The configuration is one text within the ConfigMap, which no patch of Kubernetes
or Kustomize can change in part. An annotation keeps what was replaced, and `--restore` gives it
back.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CONFIG_KEY = "katib-config.yaml"
REPLACED = "tunegate.dev/replaced"  # annotation of the ConfigMap: the entries that ours replace
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
    return _dump(document)


def read_entries(path: Path, image: str = "") -> dict[str, list[Entry]]:
    """Read the entries to register from a file, with another image where one is named."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    other = {"image": image} if image else {}
    return {kind: [entry | other for entry in ours] for kind, ours in entries.items()}


def register_in(
    config_map: Entry, entries: Mapping[str, list[Entry]], replace: tuple[str, ...] = ()
) -> Entry:
    """Return the ConfigMap with our entries, and an annotation of those that they replace.

    Args:
        config_map: `katib-config` of Katib's namespace.
        entries: as `register_entries` takes them.
        replace: names of algorithms.

    Raises:
        ValueError: as `register_entries` does.
    """
    text = config_map["data"][CONFIG_KEY]
    patched = register_entries(text, entries, replace)
    before = _entries_by_name(text)
    kept = _replaced(config_map)
    for kind, (ours, *_) in entries.items():
        known = kept.setdefault(kind, {})
        for name in replace:
            theirs = before[kind].get(name)
            if theirs and theirs["image"] != ours["image"]:
                known.setdefault(name, theirs)
    return _with_config(config_map, patched, {kind: each for kind, each in kept.items() if each})


def restore_in(config_map: Entry, entries: Mapping[str, list[Entry]]) -> Entry:
    """Return the ConfigMap without our entries, and with all those that they had replaced."""
    document = yaml.safe_load(config_map["data"][CONFIG_KEY])
    kept = _replaced(config_map)
    for kind, ours in entries.items():
        registered = {
            each["algorithmName"]: each for each in document["runtime"].get(kind) or ()
        } | kept.get(kind, {})
        for each in ours:
            registered.pop(each["algorithmName"], None)
        document["runtime"][kind] = list(registered.values())
    return _with_config(config_map, _dump(document), {})


def _replaced(config_map: Entry) -> dict[str, dict[str, Entry]]:
    """Return what earlier calls have replaced, by kind and name."""
    annotations = config_map.get("metadata", {}).get("annotations") or {}
    kept: dict[str, dict[str, Entry]] = json.loads(annotations.get(REPLACED, "{}"))
    return kept


def _with_config(config_map: Entry, text: str, kept: Mapping[str, Mapping[str, Entry]]) -> Entry:
    metadata = dict(config_map.get("metadata", {}))
    annotations = dict(metadata.pop("annotations", None) or {})
    annotations.pop(REPLACED, None)
    if kept:
        annotations[REPLACED] = json.dumps(kept)
    if annotations:
        metadata["annotations"] = annotations
    return {**config_map, "metadata": metadata, "data": {**config_map["data"], CONFIG_KEY: text}}


def _entries_by_name(config: str) -> dict[str, dict[str, Entry]]:
    runtime = {"earlyStoppings": [], **yaml.safe_load(config)["runtime"]}
    return {
        kind: {each["algorithmName"]: each for each in runtime[kind] or ()}
        for kind in ("suggestions", "earlyStoppings")
    }


def _dump(document: Entry) -> str:
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
    parser.add_argument(
        "--restore", action="store_true", help="take ours out, and give back what they replaced"
    )
    options = parser.parse_args()
    entries = read_entries(options.entries, options.image or "")
    try:
        config = json.load(sys.stdin)
        if options.restore:
            config = restore_in(config, entries)
        else:
            config = register_in(config, entries, tuple(options.replace))
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
