"""Push metrics to Kubeflow Trainer, which keeps them in the TrainJob's status.

Source: kubeflow/trainer v2.2 and later, pkg/statusserver and proposals/2779-trainjob-progress: an authenticated POST,
its address, certificate and token named by variables of the environment; at most one each five seconds is asked for.
"""

import re
import ssl
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainer.errors import ParameterError, PushError, TrainerError
from trainer.hyperparameters import LEARNERS
from trainer.trial import Score, decimal

URL, CA_CERT, TOKEN = (f"KUBEFLOW_TRAINER_SERVER_{name}" for name in ("URL", "CA_CERT", "TOKEN"))
INTERVAL = 5.0
TIMEOUT = 5.0  # seconds
PAUSES = (
    1.0,
    5.0,
    None,
)  # seconds after each vain attempt to push the result; then no other is made


@dataclass(slots=True)
class StatusServer:
    """Where a TrainJob's metrics go; the token is read anew each time, for it is replaced now and then."""

    url: str
    certificate: Path
    token: Path
    _last: float = field(default=-INTERVAL)

    def progress(self, score: Score, *, share: float) -> None:
        """Push what is known so far; what fails is said, and harms nothing."""
        if time.monotonic() - self._last < INTERVAL:
            return
        self._last = time.monotonic()
        if problem := self._push([score], share):
            sys.stderr.write(f"note: the TrainJob's status was not updated: {problem}\n")

    def result(self, scores: list[Score]) -> None:
        """Push the result, with a few attempts.

        Raises:
            PushError: when none succeeds; a trial that ended well without a number would be lost unseen.
        """
        problem = ""
        for pause in PAUSES:
            if not (problem := self._push(scores, 1.0)):
                return
            if pause:
                time.sleep(pause)
        hint = f"see the controller manager's log, or unset {URL} to print the metrics alone"
        raise PushError(f"{self.url}: the metrics could not be sent: {problem}", hint=hint)

    def _push(self, scores: list[Score], share: float) -> str:
        """Send one status; returns what went wrong."""
        import httpx  # noqa: PLC0415 - only a TrainJob needs it

        try:
            context = ssl.create_default_context(cafile=str(self.certificate))
            headers = {"Authorization": f"Bearer {self.token.read_text(encoding='ascii').strip()}"}
            sent = httpx.post(
                self.url,
                json=_status(scores, share),
                headers=headers,
                verify=context,
                timeout=TIMEOUT,
            )
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"
        if sent.is_success:
            return ""
        return f"HTTP {sent.status_code}: {sent.text[:200]}"


def status_server(environment: Mapping[str, str]) -> StatusServer | None:
    """Return where to push to, or None outside of a TrainJob.

    Raises:
        TrainerError: when the environment says where, but not how.
    """
    if not environment.get(URL):
        return None
    if missing := [name for name in (CA_CERT, TOKEN) if not environment.get(name)]:
        raise TrainerError(
            f"{URL} is set, {' and '.join(missing)} not", hint=f"set all three, or unset {URL}"
        )
    return StatusServer(environment[URL], Path(environment[CA_CERT]), Path(environment[TOKEN]))


def _status(scores: list[Score], share: float) -> dict[str, Any]:
    metrics = [{"name": score.metric, "value": decimal(score)} for score in scores]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "trainerStatus": {
            "progressPercentage": int(100 * share),
            "metrics": metrics,
            "lastUpdatedTime": now,
        }
    }


PREFIX = "KUBEFLOW_TRAINER_OPT_"


def hyperparameters(environment: Mapping[str, str]) -> dict[str, str]:
    """Return values by field name, as text.

    Raises:
        ParameterError: naming each variable with the prefix that is no hyperparameter of any learner.
    """
    known = {variable(name): name for learner in LEARNERS.values() for name in learner.model_fields}
    given = sorted(name for name in environment if name.startswith(PREFIX))
    if unknown := [name for name in given if name not in known]:
        hint = f"known: {', '.join(name.removeprefix(PREFIX) for name in known)}"
        raise ParameterError(f"{', '.join(unknown)}: not a hyperparameter", hint=hint)
    return {known[name]: environment[name] for name in given}


def variable(name: str) -> str:
    """Return the variable of a hyperparameter."""
    return PREFIX + name.upper()


@contextmanager
def blamed(names: Iterable[str]) -> Iterator[None]:
    """Let an error name the variables of these hyperparameters instead of their flags."""
    variables = {"--" + name.replace("_", "-"): variable(name) for name in names}
    try:
        yield
    except ParameterError as error:
        said = re.sub(
            r"--[a-z-]+(?=:)", lambda match: variables.get(match[0], match[0]), str(error)
        )
        raise ParameterError(said, hint=error.hint) from error
