"""HEAD answers as GET does, without the body."""

import pytest
from support.serving.servers import Running


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/version", "/docs"])
def test_head_has_the_status_and_headers_of_get_and_no_body(server: Running, path: str) -> None:
    head = server.client.head(path)
    get = server.client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_is_refused_where_get_is(server: Running) -> None:
    answer = server.client.head("/predict")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
