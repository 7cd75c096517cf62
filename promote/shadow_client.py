"""Ask a running server what its candidate in shadow mode has shown.

Through a name with several replicas one of them answers, and for itself alone.
"""

import httpx

from promote.errors import PromoteError
from promote.smoke import KEY_HEADER
from registry.record import InvalidRecord
from registry.shadow import ShadowStatus

ANSWER = 5.0  # seconds


def shadow_status(url: str, model: str, *, key: str = "") -> ShadowStatus:
    """Return what the server at `url` says of a model's shadow.

    Args:
        url: the service's base address.
        model: the model's name.
        key: the service's API key, where it wants one.

    Raises:
        PromoteError: when nothing answers there, or not as a server of this model.
    """
    target = f"{url.rstrip('/')}/v1/models/{model}/shadow"
    try:
        answer = httpx.get(target, timeout=ANSWER, headers={KEY_HEADER: key} if key else {})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        hint = "`tunegate serve` starts one; --url names one elsewhere"
        raise PromoteError(
            f"no server answers at {url}: {error or type(error).__name__}", hint=hint
        ) from error
    if not answer.is_success:
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            hint = "`api_key` names the file with its key"
        else:
            hint = ""
        raise PromoteError(
            f"{target} is answered {answer.status_code}: {answer.text[:200]}", hint=hint
        )
    try:
        return ShadowStatus.parse(answer.content)
    except InvalidRecord as error:
        hint = "is it a tunegate server, and of this release?"
        raise PromoteError(f"{target}: not what a server says of a shadow", hint=hint) from error
