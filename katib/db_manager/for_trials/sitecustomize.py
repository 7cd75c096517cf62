"""Leads `kubeflow.katib.report_metrics` to the DBManager of this machine.

Python runs this module at its start, as its folder is on the path of trials that push their
metrics. The function would ask for `katib-db-manager.kubeflow` and read the namespace of a pod's
service account, neither of which is configurable (katib#2436). It is changed when it is imported,
if ever. The trial's Python may be any version, so this module uses nothing new, and nothing of
ours.
"""

import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - starts faster
ADDRESS = "TUNEGATE_DB_MANAGER"
NAMESPACE = "TUNEGATE_NAMESPACE"


def set_address(constants: ModuleType) -> None:
    """Name this machine's DBManager; the functions take it as their default."""
    vars(constants)["DEFAULT_DB_MANAGER_ADDRESS"] = os.environ[ADDRESS]


def set_namespace(utils: ModuleType) -> None:
    """Take the namespace from the environment, as no pod's file has it."""
    vars(utils)["get_current_k8s_namespace"] = lambda: os.environ.get(NAMESPACE, "default")


CHANGES = {
    "kubeflow.katib.constants.constants": set_address,
    "kubeflow.katib.utils.utils": set_namespace,
}


class ChangingFinder:
    """Finds the modules to change as Python does, and changes them once they have run."""

    def find_spec(self, name, path, target=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        """Return the module's spec, None for all others."""
        change = CHANGES.get(name)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_change(module: ModuleType) -> None:
            run(module)
            change(module)

        spec.loader.exec_module = run_and_change  # type: ignore[method-assign]
        return spec


def run_own() -> None:
    """Run the `sitecustomize` that this one stands before."""
    others = [path for path in sys.path if os.path.abspath(path) != HERE]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if os.environ.get(ADDRESS):
    sys.meta_path.insert(0, ChangingFinder())
run_own()
