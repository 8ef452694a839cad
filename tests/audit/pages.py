"""Reports of generated clusters, made and opened, and what can be read off them."""

import json
from pathlib import Path

from ipam.audit.auditing import Audit, audit
from ipam.audit.report.gathering import Gathered
from ipam.audit.report.page import render
from ipam.audit.source import Taken
from ipam.model import Attachment
from tests.audit.browser import Browser
from tests.audit.cluster import PODS, Cluster

LARGE = 100_000


def audited(cluster: Cluster) -> Audit:
    """The audit of a cluster."""
    return audit([Taken(node.name, *node.snapshot(history=True)) for node in cluster.nodes], cluster.limits())


def shown(browser: Browser, path: Path, result: Audit) -> Browser:
    """A report, open in the browser."""
    path.write_text(render(Gathered(result)), encoding="utf-8")
    browser.said.clear()
    browser.asked.clear()
    browser.show(1280, 900)
    browser.open(path)
    return browser


def large() -> Cluster:
    """A cluster of so many leases, with container ids as long as real ones."""
    cluster = Cluster(LARGE // 500, leases=500)
    for node in cluster.nodes:
        for place, lease in enumerate(node.held[PODS]):
            digits = f"{node.number:04x}{place:04x}" * 8
            node.held[PODS][place] = lease.replace(attachment=Attachment(digits, "eth0"))
    return cluster


def text(browser: Browser, name: str) -> str:
    """What an element says."""
    return str(browser.value(f"document.getElementById({json.dumps(name)}).textContent"))


def number(browser: Browser, name: str) -> int:
    """The number that an element shows."""
    return int("".join(filter(str.isdigit, text(browser, name))))


def search(browser: Browser, words: str) -> None:
    """Type into the search box."""
    script = "(words => { const box = document.getElementById('search'); box.value = words; "
    browser.value(script + f"box.dispatchEvent(new Event('input')); }})({json.dumps(words)})")


def rows(browser: Browser) -> list[list[str]]:
    """The rows of leases that are in the page."""
    found: list[list[str]] = browser.value(
        "[...document.querySelectorAll('#lease-rows tr[aria-rowindex]')].map(r => [...r.cells].map(c => c.textContent))"
    )
    return found
