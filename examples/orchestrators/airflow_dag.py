"""A DAG for Airflow 3: each task is a command of tunegate, which can be run by hand as well.

The verdicts of the gate are exit codes (docs/cli.md): 10, 11 and 12 promote nothing and are no
failure, so such a task is skipped.
"""

from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

STATE = "/srv/tunegate"
DATA = "/srv/data/houses.toml"
NOTHING_PROMOTED = [10, 11, 12]

with DAG(
    "houses", schedule="@weekly", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False
) as dag:
    tune = BashOperator(
        task_id="tune",
        bash_command=f"tunegate tune {DATA} --trials 20 --warm-start --state {STATE}",
    )
    report = BashOperator(
        task_id="report",
        bash_command=f"tunegate report --output {STATE}/report.html --state {STATE}",
    )
    promote = BashOperator(
        task_id="promote",
        bash_command=f"tunegate promote --state {STATE} --url http://houses.example.com",
        skip_on_exit_code=NOTHING_PROMOTED,
    )
    smoke = BashOperator(
        task_id="smoke",
        bash_command=f"tunegate smoke --state {STATE} --url http://houses.example.com",
    )
    tune >> [report, promote]
    promote >> smoke
