"""Ask a running server what its candidate in shadow mode has shown.

If the server's name has several replicas, one of them answers, and for itself alone.
"""

import httpx

from promote.errors import PromoteError
from promote.smoke import KEY_HEADER
from registry.record import InvalidRecord
from registry.shadow import ShadowStatus

STATUS_TIMEOUT = 5.0  # seconds


def fetch_shadow_status(url: str, model: str, *, key: str = "") -> ShadowStatus:
    """Return what the server at `url` reports of a model's shadow.

    Args:
        url: the service's base address.
        model: the model's name.
        key: the service's API key, if it asks for one.

    Raises:
        PromoteError: when nothing answers there, or not as a server of this model.
    """
    target = f"{url.rstrip('/')}/v1/models/{model}/shadow"
    headers = {KEY_HEADER: key} if key else {}
    try:
        response = httpx.get(target, timeout=STATUS_TIMEOUT, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PromoteError(
            f"no server answers at {url}: {error or type(error).__name__}",
            hint="`tunegate serve` starts one; --url names one elsewhere",
        ) from error
    if not response.is_success:
        hint = ""
        if response.status_code == httpx.codes.UNAUTHORIZED:
            hint = "`api_key` names the file with its key"
        raise PromoteError(
            f"{target} is answered {response.status_code}: {response.text[:200]}", hint=hint
        )
    try:
        return ShadowStatus.parse(response.content)
    except InvalidRecord as error:
        raise PromoteError(
            f"{target}: the answer is not a shadow's status",
            hint="is it a tunegate server, and of this release?",
        ) from error
