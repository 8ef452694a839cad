"""/metrics: what the daemon has done, and how its stores are, over HTTP on loopback or a unix socket."""

# Imported only where metrics are asked for: the libraries behind it are larger than the daemon itself.
from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseServer, TCPServer, UnixStreamServer
from threading import Thread
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from ipam import __version__
from ipam.audit.metrics import StoreCollector, exposition
from ipam.daemon.executor import Executor
from ipam.daemon.statistics import BOUNDS, Statistics
from ipam.inspection import configs
from ipam.inspection.mistakes import Mistake
from ipam.inspection.sites import Sites
from ipam.model import Host

_FRESH = 15.0
"""Seconds for which figures of stores are not made anew."""

_SHARE = 20
"""And so many times as long as it took to make them: at most a twentieth of the time goes into them."""

_PATIENCE = 5.0


class DaemonCollector(Collector):
    """What the daemon counts. Read while it works: a figure may be one request newer than the next."""

    def __init__(self, statistics: Statistics, executor: Executor) -> None:
        self._statistics = statistics
        self._executor = executor

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        statistics, executor = self._statistics, self._executor
        labels = ["command", "code"]
        requests = CounterMetricFamily(
            "ipam_daemon_requests", "Requests by command and CNI error code, 0: ok", labels=labels
        )
        for (command, result), number in sorted(statistics.requests.copy().items()):
            requests.add_metric([command, "0" if result == "ok" else result.removeprefix("error").strip()], number)
        text = "Seconds from request to answer"
        latency = HistogramMetricFamily("ipam_daemon_request_seconds", text, labels=["command"])
        for command, (counts, total) in sorted(statistics.latencies().items()):
            latency.add_metric([command], _cumulative(counts), total)
        yield from (requests, latency)
        counts, total = statistics.waits.read()
        waits = HistogramMetricFamily(
            "ipam_daemon_wait_seconds", "Seconds of requests that had to wait for a network's lock"
        )
        waits.add_metric([], _cumulative(counts), total)
        yield waits
        yield GaugeMetricFamily(
            "ipam_daemon_waiting", "Networks that have to wait for a lock or a server", executor.lanes
        )
        yield GaugeMetricFamily("ipam_daemon_unfinished", "Requests that are being worked on", executor.unfinished)
        yield GaugeMetricFamily("ipam_daemon_start_timestamp_seconds", "When the daemon started", statistics.since)
        build = GaugeMetricFamily("ipam_build_info", "The version of ipam", labels=["version"])
        build.add_metric([__version__], 1)
        yield build


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    found, total = [], 0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found


class Figures:
    """The whole exposition; that of the stores is kept for a while, since it reads all leases and events."""

    def __init__(self, daemon: DaemonCollector, host: Host, conf_dir: Path = configs.DEFAULT_DIR) -> None:
        self._daemon = daemon
        self._host = host
        self._conf_dir = conf_dir
        self._kept = b""
        self._until = 0.0

    def text(self) -> bytes:
        """What Prometheus gets."""
        if monotonic() >= self._until:
            began = monotonic()
            self._kept = self._of_stores()
            self._until = monotonic() + max(_FRESH, _SHARE * (monotonic() - began))
        return exposition(self._daemon) + self._kept

    def _of_stores(self) -> bytes:
        configured, problems = configs.read_directory(self._conf_dir)
        sites = Sites(configured, (), self._host)
        try:
            return exposition(StoreCollector(sites.named(None), self._host.clock(), problems + sites.problems))
        finally:
            sites.close()


def start(address: str, text: Callable[[], bytes]) -> None:
    """Serve `text()` from a thread, at `127.0.0.1:9753`, `[::1]:9753` or the path of a socket to be made.

    Raises Mistake for an address that is none, or that others could reach, OSError where it cannot be had.
    """
    server = _listen(address, _answering(text))
    Thread(target=server.serve_forever, daemon=True, name="metrics").start()


def _listen(address: str, handler: type[BaseHTTPRequestHandler]) -> BaseServer:
    if address.startswith("/"):
        path = Path(address)
        if path.is_symlink() or (path.exists() and not path.is_socket()):
            raise ValueError(f"{path} is no socket; remove it, or say another --metrics")
        path.unlink(missing_ok=True)
        mask = os.umask(0o117)
        try:
            return UnixStreamServer(address, handler)
        finally:
            os.umask(mask)
    name, colon, port = address.rpartition(":")
    try:
        host = ip_address(name.strip("[]"))
        number = int(port)
    except ValueError:
        raise Mistake(f"--metrics takes 127.0.0.1:PORT, [::1]:PORT or /path, not {address!r}") from None
    if not colon or not host.is_loopback:
        raise Mistake(f"--metrics listens on loopback alone, not at {address!r}: put a proxy before it")
    server = type("Server", (TCPServer,), {
        "address_family": socket.AF_INET6 if host.version == 6 else socket.AF_INET,
        "allow_reuse_address": True,
    })  # fmt: skip
    return server((str(host), number), handler)  # type: ignore[no-any-return]


def _answering(text: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE
        server_version, sys_version = f"ipam/{__version__}", ""

        def do_GET(self) -> None:  # the base class says how methods are called
            found = self.path.partition("?")[0] == "/metrics"
            body = text() if found else b"Nothing here but /metrics.\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4 if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "client"  # on a unix socket there is no address

        def log_message(self, *_: object) -> None:
            return

    return Handler
