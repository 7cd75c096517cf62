"""Kubeflow Trainer: how a trial gets hyperparameters from a TrainJob and pushes metrics to it.

- Hyperparameters come as environment variables `KUBEFLOW_TRAINER_OPT_<NAME>`.
- Metrics go to the status server at `KUBEFLOW_TRAINER_SERVER_URL`, which keeps them in the
  TrainJob's status (kubeflow/trainer v2.2 and later, pkg/statusserver and
  proposals/2779-trainjob-progress): an authenticated POST, at most one each five seconds.
"""

import ssl
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from trainer.errors import ParameterError, PushError, TrainerError
from trainer.hyperparameters import (
    family_names,
    flag_name,
    hyperparameter_names,
    renamed_errors,
)
from trainer.trial import Score, format_score

PREFIX = "KUBEFLOW_TRAINER_OPT_"
URL = "KUBEFLOW_TRAINER_SERVER_URL"
CA_CERT = "KUBEFLOW_TRAINER_SERVER_CA_CERT"
TOKEN = "KUBEFLOW_TRAINER_SERVER_TOKEN"  # noqa: S105 - the variable that names the token's file
INTERVAL = 5.0  # seconds between two reports of progress
TIMEOUT = 5.0  # seconds
RETRY_PAUSES = (1.0, 5.0)  # seconds before the result is pushed again


def hyperparameters_from(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the hyperparameters' values by field name, as text.

    Raises:
        ParameterError: naming each variable with the prefix that is not a hyperparameter.
    """
    common = hyperparameter_names()
    known = {variable_name(name): name for name in (*common, *family_names())}
    given = sorted(name for name in environment if name.startswith(PREFIX))
    if unknown := [name for name in given if name not in known]:
        words = ", ".join(name.upper() for name in common)
        hint = f"known: {words}; for one model only, its name comes first: LIGHTGBM_NUM_LEAVES"
        raise ParameterError(f"{', '.join(unknown)}: not a hyperparameter", hint=hint)
    return {known[name]: environment[name] for name in given}


def variable_name(name: str) -> str:
    """Return the environment variable of a hyperparameter."""
    return PREFIX + name.upper()


@contextmanager
def errors_naming_variables(names: Iterable[str]) -> Iterator[None]:
    """Let errors name the variables of these hyperparameters instead of their flags."""
    with renamed_errors({flag_name(name): variable_name(name) for name in names}):
        yield


def status_server(environment: Mapping[str, str]) -> "StatusServer | None":
    """Return where to push metrics, or None outside of a TrainJob.

    Raises:
        TrainerError: when the environment names the server, but not its certificate and token.
    """
    if not environment.get(URL):
        return None
    if missing := [name for name in (CA_CERT, TOKEN) if not environment.get(name)]:
        raise TrainerError(
            f"{URL} is set, {' and '.join(missing)} not", hint=f"set all three, or unset {URL}"
        )
    return StatusServer(environment[URL], Path(environment[CA_CERT]), Path(environment[TOKEN]))


@dataclass(slots=True)
class StatusServer:
    """Where a TrainJob's metrics go.

    The token is read for each push, because Kubernetes replaces it from time to time.
    """

    url: str
    certificate: Path
    token: Path
    _last: float = field(default=-INTERVAL)  # monotonic seconds

    def push_progress(self, score: Score, *, share: float) -> None:
        """Push the score after `share` of the work; a failure is only noted on stderr."""
        if time.monotonic() - self._last < INTERVAL:
            return
        self._last = time.monotonic()
        if problem := self._push([score], share):
            sys.stderr.write(f"note: the TrainJob's status was not updated: {problem}\n")

    def push_result(self, scores: list[Score]) -> None:
        """Push the result, again after each of `RETRY_PAUSES` if that fails.

        Raises:
            PushError: when no attempt succeeds; otherwise a finished trial's number would be lost.
        """
        problem = self._push(scores, 1.0)
        for pause in RETRY_PAUSES:
            if not problem:
                return
            time.sleep(pause)
            problem = self._push(scores, 1.0)
        if problem:
            hint = f"see the controller manager's log, or unset {URL} to print the metrics alone"
            raise PushError(f"{self.url}: the metrics could not be sent: {problem}", hint=hint)

    def _push(self, scores: list[Score], share: float) -> str:
        """Send one status; return what went wrong, "" if nothing did."""
        import httpx  # noqa: PLC0415 - only a TrainJob needs it

        try:
            context = ssl.create_default_context(cafile=str(self.certificate))
            headers = {"Authorization": f"Bearer {self.token.read_text(encoding='ascii').strip()}"}
            response = httpx.post(
                self.url,
                json=_status_body(scores, share),
                headers=headers,
                verify=context,
                timeout=TIMEOUT,
            )
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"
        if response.is_success:
            return ""
        return f"HTTP {response.status_code}: {response.text[:200]}"


def _status_body(scores: list[Score], share: float) -> dict[str, object]:
    metrics = [{"name": score.metric, "value": format_score(score)} for score in scores]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "trainerStatus": {
            "progressPercentage": int(100 * share),
            "metrics": metrics,
            "lastUpdatedTime": now,
        }
    }
