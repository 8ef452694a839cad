"""A browser for everybody, and the report that most tests look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ipam.audit.auditing import Audit
from ipam.model import IPV6, Address, Attachment, Pod, Range
from tests.audit.browser import Browser
from tests.audit.cluster import PODS, Cluster
from tests.audit.node import HOSTILE
from tests.audit.pages import audited, shown


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def planted() -> Cluster:
    """Thirty nodes with a fault of each kind, pods with hostile names, and a network of IPv6."""
    cluster = Cluster(30, leases=60)
    cluster.plant(each=1)
    for node in cluster.nodes:
        for lease, name in zip(node.held[PODS], HOSTILE, strict=False):
            lease.pod, lease.attachment = Pod(name, name), Attachment(lease.attachment.container_id, name)
    six = cluster.nodes[-1]
    first = 0xFD << 120
    six.network("six", Range(IPV6, first, 64, first + 1, first + (1 << 64) - 1, Address(IPV6, first + 1)))
    for offset in range(2, 9):
        six.lease("six", Address(IPV6, first + offset))
    return cluster


@pytest.fixture(scope="session")
def result(planted: Cluster) -> Audit:
    """Its audit."""
    return audited(planted)


@pytest.fixture
def page(browser: Browser, tmp_path: Path, result: Audit) -> Browser:
    """Its report."""
    return shown(browser, tmp_path / "report.html", result)
