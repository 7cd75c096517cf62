"""The methods of Katib's `DBManager` service, over the folders of trials."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from katib.errors import EngineError, InvalidExperiment
from katib.metrics_collector import NO_TIME, report_time
from katib.reports import LoggedReport, ReportLogs
from katib.suggestion.messages import Message
from katib.suggestion.server import Context, M, Method, logger_of, refusals, start_service

NAME = "DBManager"
HOST = "127.0.0.1"  # no request carries a token
GRACE = 1.0  # seconds for requests in progress when it ends
logger = logger_of(NAME)


class DbManager:
    """The methods, under the names of Katib's protocol.

    Args:
        logs: where the reports are.
    """

    def __init__(self, logs: ReportLogs) -> None:
        self._logs = logs

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods by name."""
        return {
            "ReportObservationLog": self.report_observation_log,
            "GetObservationLog": self.get_observation_log,
            "DeleteObservationLog": self.delete_observation_log,
        }

    def report_observation_log(self, request: Message, context: Context) -> Message:
        """Keep what a trial reports; as in Katib, reports without a time are left out."""
        with refusals(context, logger):
            reports = [
                LoggedReport(log.time_stamp, log.metric.name, log.metric.value)
                for log in request.observation_log.metric_logs
                if log.time_stamp
            ]
            for report in reports:
                _read_time(report.time)
            self._logs.append(request.trial_name, reports)
        return M["ReportObservationLogReply"]()

    def get_observation_log(self, request: Message, context: Context) -> Message:
        """Answer what a trial has reported, of one metric or of all, between two times."""
        reply = M["GetObservationLogReply"]()
        with refusals(context, logger):
            found = self._logs.read(request.trial_name)
            if request.metric_name:
                found = [each for each in found if each.metric == request.metric_name]
            if request.start_time:
                start = _read_time(request.start_time)
                found = [each for each in found if report_time(each.time) >= start]
            if request.end_time:
                end = _read_time(request.end_time)
                found = [each for each in found if report_time(each.time) <= end]
        for report in found:
            metric = M["Metric"](name=report.metric, value=report.value)
            reply.observation_log.metric_logs.add(time_stamp=report.time, metric=metric)
        return reply

    def delete_observation_log(self, request: Message, context: Context) -> Message:
        """Forget what a trial has reported."""
        with refusals(context, logger):
            self._logs.delete(request.trial_name)
        return M["DeleteObservationLogReply"]()


@contextmanager
def serving_reports(logs: ReportLogs, port: int = 0) -> Iterator[str]:
    """Serve on loopback as long as the block runs; yields the address, host and port.

    Args:
        logs: where the reports are.
        port: the port; 0 takes a free one.

    Raises:
        EngineError: when the port is taken.
    """
    try:
        server, taken = start_service(f"{HOST}:{port}", NAME, DbManager(logs).methods)
    except RuntimeError as error:
        raise EngineError(
            f"{HOST}:{port} cannot be listened at", hint="name another port, or end what has it"
        ) from error
    try:
        yield f"{HOST}:{taken}"
    finally:
        server.stop(GRACE).wait()


def _read_time(text: str) -> datetime:
    time = report_time(text)
    if time == NO_TIME and not text.startswith("0001-01-01"):
        raise InvalidExperiment(f"{text!r} is no time: write it as 2026-01-02T03:04:05Z")
    return time
