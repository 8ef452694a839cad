"""The picture in README: a report of a small cluster on a working day. `python -m tests.audit.picture`."""

from itertools import count
from pathlib import Path
from random import Random

from ipam.audit.report.gathering import Gathered
from ipam.audit.report.page import render
from ipam.model import IPV4, Address, Attachment, Pod, RangeSet
from tests.audit.browser import Browser
from tests.audit.cluster import DAY, NOW, PODS, Cluster, address, subnet
from tests.audit.pages import audited

PLACE = Path(__file__).parents[2] / "conf" / "report.png"
WIDTH, HEIGHT = 1280, 1360
APPS = ("web", "api", "cart", "search", "mail", "worker", "cache", "billing", "auth", "images")


def cluster() -> Cluster:
    """Forty-eight workers, some fuller than others; pods come and go; one node is nearly full, two share an address."""
    random, made, names = Random(7), Cluster(48, leases=0), count(1)
    for node in made.nodes:
        node.name = f"worker-{node.number + 1:02}"
        node.networks[PODS] = (RangeSet(0, (subnet(address("10.64.0.0", node.number * 256), 24),)),)
        first = address("10.64.0.0", node.number * 256)
        share = 0.94 if node.number == 25 else min(0.8, max(0.05, random.gauss(0.5, 0.16)))
        for offset in range(2, 255):
            where = Address(IPV4, first.value + offset)
            pod = Pod("shop", f"{random.choice(APPS)}-{random.randrange(1 << 40):010x}")
            if random.random() < share:
                since = NOW - 900 - 6.5 * DAY * random.random()
                lease = node.lease(PODS, where, since, pod=pod, attachment=Attachment(f"{next(names):064x}", "eth0"))
                assert lease.since == since
            elif random.random() < 0.8:
                begin = NOW - 1800 - 6.8 * DAY * random.random()
                node.ended(PODS, where, begin, begin + min(NOW - begin - 900, random.expovariate(1 / (0.4 * DAY))))
    one, two = made.nodes[11], made.nodes[30]
    for node in (one, two):
        node.network("storage")
        node.lease("storage", address("172.16.0.10"), NOW - DAY / 5)
    made.nodes[20].lease(PODS, address("10.64.20.200"), NOW - DAY * 1.2, boot="an-earlier-boot")
    return made


def main() -> None:
    """Make it."""
    page = Path(PLACE.with_suffix(".html"))
    page.write_text(render(Gathered(audited(cluster()))), encoding="utf-8")
    try:
        with Browser() as browser:
            browser.show(WIDTH, HEIGHT)
            browser.open(page)
            browser.value("document.querySelector('.top').style.position = 'static'")
            browser.picture(PLACE)
    finally:
        page.unlink()
    print(f"{PLACE}: {PLACE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
