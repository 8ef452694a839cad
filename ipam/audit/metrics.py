"""Metrics of a node's stores for Prometheus: leases, room, events by cause, and when a range set will be exhausted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import inf

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ipam.audit.capacity import Layout
from ipam.errors import CniError
from ipam.inspection.sites import Site
from ipam.inspection.usage import DAY, HOUR, Growth
from ipam.jsontext import quote
from ipam.model import StoreConfig
from ipam.store import Trait

OF_A_NETWORK = ("network", "store")
OF_A_RANGE_SET = (*OF_A_NETWORK, "range_set")


class _Tally:
    """What is known of one network: by range set, or by None for addresses in none."""

    def __init__(self, site: Site, now: float) -> None:
        sets = site.network.range_sets if site.network is not None else ()
        self.layout = Layout(sets)
        find = self.layout.range_set_of
        self.leases: Counter[int | None] = Counter()
        self.resting = Counter(find(address) for address, _ in site.store.resting(site.name))
        self.unusable = Counter(find(address) for address in site.store.unusable(site.name))
        self.events: Counter[tuple[str, str]] = Counter()
        self.growth = Growth()
        for lease in site.store.leases(site.name):
            self.leases[find(lease.address)] += 1
            self.growth.note(lease.since, now)
        told = Trait.HISTORY in site.store.traits
        for event in site.store.history(site.name, since=now - DAY) if told else ():
            if event.time >= now - HOUR:
                self.events[event.what, event.cause] += 1
            self.growth.take(event, find(event.lease.address), now)

    def left(self, index: int) -> int:
        """Addresses that an ADD could still get."""
        return max(0, self.layout.capacities[index] - self.leases[index] - self.unusable[index])

    def exhausted_in(self, index: int) -> float:
        """Seconds; inf where it is not in sight, 0 where it has come."""
        seconds = self.growth.exhausted_in(index, self.left(index))
        return inf if seconds is None else seconds


class StoreCollector(Collector):
    """The metrics of the sites that there are when it is asked."""

    def __init__(self, sites: Iterable[Site], now: float, problems: Iterable[str] = ()) -> None:
        self._sites = list(sites)
        self._now = now
        self._problems = len(list(problems))

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        leases = _gauge("ipam_leases", "Leases held, by range set; those in none have an empty one", OF_A_RANGE_SET)
        capacity = _gauge("ipam_addresses", "Addresses that a range set can hand out", OF_A_RANGE_SET)
        free = _gauge("ipam_addresses_free", "Addresses that are neither leased nor resting", OF_A_RANGE_SET)
        resting = _gauge("ipam_addresses_resting", "Released addresses that are not handed out yet", OF_A_RANGE_SET)
        text = "Seconds until a range set is exhausted, at the rate of the last hour or day"
        exhaustion = _gauge("ipam_exhaustion_seconds", text, OF_A_RANGE_SET)
        text = "Claims and drops of the last hour, by their cause"  # no counter: history may be forgotten
        events = _gauge("ipam_events_last_hour", text, (*OF_A_NETWORK, "what", "cause"))
        up = _gauge("ipam_store_up", "Whether a network's store could be read", OF_A_NETWORK)
        for site in self._sites:
            names = [site.name, StoreConfig(site.url).shown]
            try:
                tally = _Tally(site, self._now)
            except CniError:
                up.add_metric(names, 0)
                continue
            up.add_metric(names, 1)
            for (what, cause), count in sorted(tally.events.items()):
                events.add_metric([*names, what, quote(cause)[1:-1]], count)
            for index, most in sorted(tally.layout.capacities.items()):
                labels = [*names, str(index)]
                held, resting_now = tally.leases[index], tally.resting[index]
                leases.add_metric(labels, held)
                capacity.add_metric(labels, most)
                resting.add_metric(labels, resting_now)
                free.add_metric(labels, max(0, tally.left(index) - resting_now))
                exhaustion.add_metric(labels, tally.exhausted_in(index))
            if tally.leases[None] or not tally.layout.capacities:
                leases.add_metric([*names, ""], tally.leases[None])
        unread = GaugeMetricFamily("ipam_unread", "Configs and stores that could not be looked at", self._problems)
        written = GaugeMetricFamily("ipam_collected_timestamp_seconds", "When these figures were collected", self._now)
        yield from (leases, capacity, free, resting, exhaustion, events, up, unread, written)


def _gauge(name: str, text: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def exposition(*collectors: Collector) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry)
