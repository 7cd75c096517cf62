"""What a stopped trial has reported, from Katib's database, as Katib's controller would write it.

Katib's controller (v0.19) deletes the Job of a Trial that is EarlyStopped before it reads the
Trial's reports, unless `retain` is true. Such a Trial never has an observation, and the Experiment
asks for one point less for each of them, until nothing runs any more (katib#1377, open since 2020).
"""

from dataclasses import dataclass

from katib.errors import ClusterUnreachable
from katib.metrics_collector import UNAVAILABLE, MetricSummary, Report, report_time
from katib.objects import KatibObject, objective_name
from katib.suggestion.server import M, calling

DATABASE = "katib-db-manager.kubeflow:6789"  # where Katib's own manifests have it
TIMEOUT = 5.0  # seconds, of one request
Observation = list[dict[str, str]]  # `status.observation.metrics` of a Trial


@dataclass(slots=True)
class ReportDatabase:
    """Katib's database of what trials report.

    Attributes:
        address: of its DB manager, host and port. Requests for rules name it; before the first one,
            as after a restart of the pod, it is where Katib's manifests have it.
    """

    address: str = DATABASE

    def observation(self, trial: KatibObject) -> Observation:
        """Return a Trial's metrics with min, max and latest of what it has reported.

        Katib's collector stores all reports before it has the Trial marked.

        Raises:
            ClusterUnreachable: when the database does not answer, or has no report of the
                objective: without one, Katib waits for the Trial as if it had no observation.
        """
        name = trial["metadata"]["name"]
        with calling(self.address, "DBManager", "GetObservationLog") as ask:
            reply = ask(M["GetObservationLogRequest"](trial_name=name), TIMEOUT)
        summaries = {metric: MetricSummary() for metric in _metrics(trial)}
        for log in reply.observation_log.metric_logs:
            if summary := summaries.get(log.metric.name):
                time = report_time(log.time_stamp)
                summary.add(Report(log.metric.name, log.metric.value, time))
        objective = objective_name(trial)
        if summaries[objective].latest == UNAVAILABLE:
            text = f"DBManager at {self.address}: no report of {objective} by {name}"
            raise ClusterUnreachable(text)
        return [summary.entry(metric) for metric, summary in summaries.items()]


def _metrics(trial: KatibObject) -> list[str]:
    """Return the metrics of an observation: those with a strategy, which Katib gives to each."""
    objective = trial["spec"]["objective"]
    strategies = [each["name"] for each in objective.get("metricStrategies") or ()]
    return list(dict.fromkeys([objective_name(trial), *strategies]))
