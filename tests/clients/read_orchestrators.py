"""Let Airflow and the models of Argo Workflows read our examples; print what they found as JSON.

    python read_orchestrators.py airflow_dag.py argo_workflow.yaml

It runs in the environment of `scripts/peers orchestrators`.
"""

import json
import runpy
import sys
from pathlib import Path

import yaml
from airflow.serialization.serialized_objects import DagSerialization
from hera.workflows.models import Workflow


def main(dag_file: str, workflow_file: str) -> None:
    """Print the DAG's commands and edges, and the workflow as its model has it."""
    dag = runpy.run_path(dag_file)["dag"]
    DagSerialization.validate_schema(DagSerialization.to_dict(dag))  # what the scheduler gets
    for task in dag.tasks:
        task.dry_run()  # renders the templates
    workflow = Workflow.model_validate(yaml.safe_load(Path(workflow_file).read_text()))
    found = {
        "commands": {task.task_id: task.bash_command for task in dag.tasks},
        "after": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
        "workflow": workflow.model_dump(mode="json", by_alias=True, exclude_unset=True),
    }
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main(*sys.argv[1:])
