"""Metrics, read by Prometheus' own parser: they are what the store and the daemon say."""

import socket
import stat
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.audit.node import HOSTILE, Node, run
from tests.daemon.calls import config, environment
from tests.daemon.service import Service, ask
from tests.faults.calls import held_lock

Capture = pytest.CaptureFixture[bytes]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    """Every sample: name and labels to value. One that is there twice is an error."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    """The one sample of that name that has these labels."""
    (found,) = [
        value for (each, told), value in samples.items() if each == name and labels.items() <= dict(told).items()
    ]
    return found


def figures(capfdbinary: Capture, node: Node) -> Samples:
    """What `ipam metrics` says of a node."""
    status, out, err = run(capfdbinary, "metrics", *node.options)
    assert (status, err) == (0, "")
    return parsed(out)


def test_the_figures_are_those_of_the_store(tmp_path: Path, capfdbinary: Capture) -> None:
    node = Node(tmp_path, subnet="10.30.0.0/28")
    node.fill(5)
    node.call("DEL", "c0")
    run(capfdbinary, "release", "--container", "c1", "--force", *node.options)
    found = figures(capfdbinary, node)
    leased = len(node.files())
    assert value(found, "ipam_leases", network="net", range_set="0") == leased
    assert value(found, "ipam_addresses", network="net", range_set="0") == 13
    resting = value(found, "ipam_addresses_resting", network="net")
    assert value(found, "ipam_addresses_free", network="net") == 13 - leased - resting
    assert value(found, "ipam_events_last_hour", what="claim", cause="add") == 5
    assert value(found, "ipam_events_last_hour", what="drop", cause="del") == 1
    assert value(found, "ipam_store_up", network="net") == 1
    assert value(found, "ipam_unread") == 0


def test_an_exhausted_range_set_is_exhausted_now(tmp_path: Path, capfdbinary: Capture) -> None:
    node = Node(tmp_path, subnet="10.30.0.0/29")
    node.fill(4)
    assert value(figures(capfdbinary, node), "ipam_exhaustion_seconds") == 3600 / 4
    node.call("ADD", "last")
    found = figures(capfdbinary, node)
    assert value(found, "ipam_addresses_free") == 0
    assert value(found, "ipam_exhaustion_seconds") == 0


def test_a_store_that_cannot_be_read_is_down(tmp_path: Path, capfdbinary: Capture) -> None:
    node = Node(tmp_path)
    node.fill(1)
    (node.conf / "20-broken.conflist").write_text("{")
    status, out, err = run(capfdbinary, "metrics", *node.options)
    assert (status, value(parsed(out), "ipam_unread")) == (1, 1)
    assert "20-broken.conflist" in err


def test_the_file_is_replaced_at_once_and_everybody_may_read_it(tmp_path: Path, capfdbinary: Capture) -> None:
    node, path = Node(tmp_path), tmp_path / "ipam.prom"
    node.fill(2)
    for _ in range(2):
        assert run(capfdbinary, "metrics", *node.options, "-o", path)[0] == 0
    assert value(parsed(path.read_text()), "ipam_leases") == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert not [each.name for each in tmp_path.iterdir() if each.name.endswith(".new")]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a socket may be: not too long a path."""
    return tmp_path_factory.mktemp("s") / "ipam.sock"


def test_the_daemon_counts_what_it_did(tmp_path: Path, place: Path) -> None:
    port = free_port()
    with Service(place, arguments=["--metrics", f"127.0.0.1:{port}"]) as service:
        for command in ("ADD", "ADD", "DEL", "DEL", "CHECK"):
            ask(service.socket, environment(command, CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=x"), config(tmp_path))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            found = parsed(answer.read().decode())
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/" + HOSTILE[1].replace(" ", "%20"))
        assert connection.getresponse().status == 404
        connection.close()
    requests = {
        (dict(labels)["command"], dict(labels)["code"]): number
        for (name, labels), number in found.items()
        if name == "ipam_daemon_requests_total"
    }
    assert requests == {("ADD", "0"): 1, ("ADD", "103"): 1, ("DEL", "0"): 2, ("CHECK", "102"): 1}
    assert value(found, "ipam_daemon_request_seconds_count", command="ADD") == 2
    assert value(found, "ipam_daemon_request_seconds_bucket", command="ADD", le="+Inf") == 2
    assert value(found, "ipam_daemon_wait_seconds_count") == 0
    assert value(found, "ipam_daemon_unfinished") == 0


def test_the_daemon_serves_metrics_on_a_unix_socket(place: Path) -> None:
    metrics = place.with_name("metrics.sock")
    with Service(place, arguments=["--metrics", str(metrics)]), socket.socket(socket.AF_UNIX) as client:
        assert stat.S_IMODE(metrics.stat().st_mode) == 0o660
        client.settimeout(30)
        client.connect(str(metrics))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = b""
        while part := client.recv(1 << 16):
            answer += part
    assert value(parsed(answer.partition(b"\r\n\r\n")[2].decode()), "ipam_daemon_unfinished") == 0


@pytest.mark.parametrize(
    "address", ["0.0.0.0:9753", "192.0.2.1:9753", "[::]:9753", "9753", "localhost:9753", "127.0.0.1:x"]
)
def test_an_address_that_others_could_reach_is_refused(place: Path, address: str) -> None:
    service = Service(place, arguments=["--metrics", address])
    with pytest.raises(AssertionError):
        service.start()
    assert service.process is not None
    assert service.process.wait(60) == 2
    assert "ipam serve: --metrics " in service.said()


def test_a_file_in_the_place_of_the_socket_is_left_alone(place: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    service = Service(place, arguments=["--metrics", str(precious)])
    with pytest.raises(AssertionError):
        service.start()
    assert f"{precious} is no socket" in service.said()
    assert precious.read_text() == "precious"


def test_who_waits_for_a_lock_is_counted(tmp_path: Path, place: Path) -> None:
    port = free_port()
    with Service(place, arguments=["--metrics", f"127.0.0.1:{port}"]) as service:
        ask(service.socket, environment("ADD"), config(tmp_path))
        with held_lock(tmp_path / "net" / "lock"):
            ask(service.socket, environment("ADD", "c2"), config(tmp_path, lockTimeout=0.2))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            found = parsed(answer.read().decode())
    assert value(found, "ipam_daemon_requests_total", command="ADD", code="11") == 1
    assert value(found, "ipam_daemon_wait_seconds_count") == 1
    assert value(found, "ipam_daemon_wait_seconds_sum") >= 0.2
