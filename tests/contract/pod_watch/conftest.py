from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.live_cluster import CONTROL_PLANES, LiveCluster, live_cluster


@pytest.fixture(scope="module", params=CONTROL_PLANES)
def cluster(request: pytest.FixtureRequest) -> Iterator[LiveCluster]:
    with live_cluster(request.param) as cluster:
        yield cluster
