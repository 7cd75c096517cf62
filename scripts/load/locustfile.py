"""Users for locust, each asking again as soon as it has its answer: see scripts/load/attack.py.

Or by hand, with locust's own page: TUNEGATE_LOAD_ROW=row.json locust -f scripts/load/locustfile.py
"""

import os
from pathlib import Path

from locust import FastHttpUser, task

ROW = Path(os.environ["TUNEGATE_LOAD_ROW"]).read_bytes()


class Client(FastHttpUser):
    """Somebody who wants predictions."""

    @task
    def predict(self) -> None:
        """Ask for one row's prediction."""
        self.client.post("/predict", data=ROW, headers={"Content-Type": "application/json"})
