"""The smoke test as a suite, one test a check, against any service.

`TUNEGATE_SMOKE_URL=http://... pytest tests/smoke` tests the one at that address, with the champion
that the settings (environment, tunegate.toml) name; without it, a service is started here.
"""

import os
from collections.abc import Iterator

import pytest
from support.registry.package_variants import tiny
from support.serving.servers import serving

from promote.smoke import SmokeReport, smoke_test
from registry import ModelStore
from registry.package import ModelPackage

URL = "TUNEGATE_SMOKE_URL"
CHECKS = ("version", "health", "golden predictions", "bad input", "latency")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmokeReport]:
    if url := os.environ.get(URL):
        from tunegate.settings import load_settings
        from tunegate.workspace import Workspace

        workspace = Workspace(load_settings())
        package = workspace.champion_package()
        assert isinstance(package, ModelPackage), f"nothing to compare with: {package}"
        yield smoke_test(url, package, key=workspace.settings.key)
        return
    folder = tmp_path_factory.mktemp("smoke")
    package = tiny(folder / "toy")
    with serving(ModelStore(folder / "store"), package) as client:
        yield smoke_test(str(client.base_url), package, max_latency=5)


@pytest.mark.parametrize("name", CHECKS)
def test_the_service_answers_as_the_model_in_production_does(
    report: SmokeReport, name: str
) -> None:
    found = [check for check in report.checks if check.name.partition(" of ")[0] == name]
    assert found, f"not reached: {report.failures}"
    assert all(check.passed for check in found), report.failures
