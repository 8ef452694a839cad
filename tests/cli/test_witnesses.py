"""The witnesses: what each sees of real namespaces, results and runtimes, and what it does not claim to know."""

import subprocess
import sys
from pathlib import Path

import pytest

from ipam.address import parse_address
from ipam.inspection.staleness import DEAD, ENDED, KEPT, LIVE, PENDING, SILENT, STALE, UNKNOWN, Sign, judge
from ipam.model import Address, Attachment, Host, Lease
from ipam.witnesses.namespaces import Namespaces
from ipam.witnesses.results import Results
from tests.peer.namespaces import Namespace

HOST = Host("here", "now", lambda: 100_000.0)


def address(text: str) -> Address:
    found = parse_address(text)
    assert found is not None
    return found


def lease(text: str = "10.208.0.2", *, container: str = "c1", ifname: str = "eth0", **more: object) -> Lease:
    made = Lease(address(text), Attachment(container, ifname), 0, since=1.0, boot="now", node="here")
    return made.replace(**more)


# The verdict.

ALIVE, GONE, OVER, LEFT, OPEN, NOTHING = (
    lambda name, says=says: Sign(name, says, "") for says in (LIVE, DEAD, ENDED, KEPT, PENDING, SILENT)
)


@pytest.mark.parametrize(
    ("of", "signs", "verdict"),
    [
        ({}, [GONE("netns"), GONE("results")], STALE),
        ({}, [GONE("netns"), GONE("results"), GONE("runtime")], STALE),
        ({}, [GONE("netns")], UNKNOWN),
        ({}, [GONE("netns"), GONE("netns")], UNKNOWN),  # one witness twice is one witness
        ({}, [GONE("netns"), NOTHING("results"), NOTHING("runtime")], UNKNOWN),
        ({}, [GONE("netns"), GONE("results"), ALIVE("runtime")], LIVE),
        ({}, [ALIVE("netns"), GONE("results"), GONE("runtime")], LIVE),
        ({}, [OVER("runtime"), GONE("netns")], STALE),
        ({}, [OVER("runtime")], UNKNOWN),
        ({}, [LEFT("netns"), OVER("runtime")], STALE),
        ({}, [LEFT("netns"), GONE("runtime"), GONE("results")], LIVE),
        ({}, [LEFT("netns"), NOTHING("runtime")], LIVE),
        ({}, [LEFT("netns"), OVER("runtime"), ALIVE("results")], LIVE),
        ({}, [GONE("netns"), OPEN("results"), GONE("runtime")], UNKNOWN),  # a runtime that nobody knows to ask
        ({}, [GONE("netns"), OPEN("results"), OVER("runtime")], STALE),
        ({}, [LEFT("netns"), OPEN("results"), OVER("runtime")], STALE),
        ({"boot": "before"}, [GONE("netns"), OPEN("results")], STALE),
        ({"boot": "before"}, [LEFT("netns"), GONE("results")], LIVE),  # somebody uses the address without a lease
        ({"boot": "before"}, [GONE("netns")], STALE),
        ({"boot": "before"}, [NOTHING("netns")], UNKNOWN),
        ({"boot": "before"}, [ALIVE("netns")], LIVE),
        ({"boot": ""}, [GONE("netns")], UNKNOWN),
        ({"since": 99_900.0}, [GONE("netns"), GONE("results"), GONE("runtime")], UNKNOWN),
        ({"since": 100_100.0}, [GONE("netns"), GONE("results")], UNKNOWN),
        ({"since": 0.0}, [GONE("netns"), GONE("results")], STALE),
        ({"node": "elsewhere"}, [GONE("netns"), GONE("results"), GONE("runtime")], UNKNOWN),
        ({"node": "elsewhere", "boot": "before"}, [GONE("netns"), GONE("results")], UNKNOWN),
        ({"node": ""}, [GONE("netns"), GONE("results")], STALE),
        ({"attachment": Attachment("", "")}, [GONE("netns"), GONE("results")], UNKNOWN),
        ({"attachment": Attachment("reserved", "")}, [GONE("netns"), GONE("results"), GONE("runtime")], UNKNOWN),
        ({}, [], UNKNOWN),
    ],
)
def test_a_verdict_needs_two_witnesses_and_no_objection(of: dict[str, object], signs: list[Sign], verdict: str) -> None:
    found = judge(lease(**of), signs, HOST, 300.0)  # type: ignore[arg-type]
    assert found.says == verdict
    assert all(sign.text or sign in signs for sign in found.signs)


# Network namespaces.


@pytest.fixture
def container(as_root: None) -> Namespace:
    """A namespace with an address of each family, and no process."""
    made = Namespace("container")
    made.run("ip", "link", "set", "lo", "up")
    for each in ("10.208.0.2/32", "fd00:d0::2/128"):
        made.run("ip", "address", "add", each, "dev", "lo")
    return made


def test_an_address_in_a_namespace_without_a_process_is_seen(container: Namespace) -> None:
    try:
        seen = Namespaces()
        for text in ("10.208.0.2", "fd00:d0::2"):
            sign = seen.sign(lease(text))
            assert sign == Sign("netns", KEPT, f"the address is in {container.path}, which has no process")
        assert seen.sign(lease("10.208.0.3")) == Sign("netns", DEAD, "none has the address")
    finally:
        container.remove()
    assert Namespaces().sign(lease()).says == DEAD


def test_an_address_in_a_namespace_that_only_its_processes_keep_is_seen(as_root: None) -> None:
    script = "ip link set lo up && ip address add 10.208.0.2/32 dev lo && echo ready && exec cat"
    command = ["unshare", "--net", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert Namespaces().sign(lease()) == Sign("netns", LIVE, f"the address is in that of process {process.pid}")
        process.communicate()
    assert Namespaces().sign(lease()).says == DEAD


_IN_A_THREAD = """
import ctypes, os, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def work():
    assert libc.unshare(0x40000000) == 0, ctypes.get_errno()  # CLONE_NEWNET, of this thread alone
    for words in ("link set lo up", "address add 10.208.0.2/32 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)
    held = open("/proc/thread-self/ns/net")
    ready.set()
    if sys.argv[1] == "thread":
        sys.stdin.read()
    else:
        files.append(held)
ready, files = threading.Event(), []
thread = threading.Thread(target=work)
thread.start()
ready.wait()
if sys.argv[1] == "file":
    thread.join()
    while len(os.listdir("/proc/self/task")) > 1:  # a thread that was waited for may not have ended
        time.sleep(0.01)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kept", ["thread", "file"])
def test_an_address_in_a_namespace_that_a_thread_or_an_open_file_keeps_is_seen(as_root: None, kept: str) -> None:
    command = [sys.executable, "-c", _IN_A_THREAD, kept]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        expected = {
            "thread": Sign("netns", LIVE, f"the address is in that of process {process.pid}"),
            "file": Sign(
                "netns", KEPT, f"the address is in one that process {process.pid} holds open, which has no process"
            ),
        }
        assert Namespaces().sign(lease()) == expected[kept]
        process.communicate()


def test_a_mount_in_another_mount_namespace_is_looked_through(as_root: None) -> None:
    script = (
        'mount --make-rprivate / && mount -t tmpfs none "$0" && touch "$0/n" && unshare "--net=$0/n" '
        'sh -c "ip link set lo up; ip address add 10.208.0.2/32 dev lo" && echo ready && exec cat'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "/mnt"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert Namespaces().sign(lease()) == Sign("netns", KEPT, "the address is in /mnt/n, which has no process")
        process.communicate()


def test_a_mount_that_is_hidden_here_is_looked_at_where_it_is_not(as_root: None) -> None:
    container = Namespace("container")
    try:
        container.run("ip", "address", "add", "10.208.0.2/32", "dev", "lo")
        show = "from ipam.witnesses.namespaces import Namespaces; print(Namespaces().empty[4, 0x0AD00002])"
        script = f'mount -t tmpfs none /run && exec {sys.executable} -c "{show}"'
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    finally:
        container.remove()
    assert said == f"{container.path}\n"


def test_a_proc_that_does_not_show_the_node_denies_nothing(as_root: None) -> None:
    script = "from ipam.witnesses.namespaces import Namespaces; print(Namespaces().unseen)"
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == "['/proc does not show all processes of the node']\n"


def test_who_is_not_root_denies_nothing(as_root: None) -> None:
    script = (
        "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "seen = Namespaces()\nprint(seen.unseen, seen.places)"
    )
    command = [sys.executable, "-c", f"from ipam.witnesses.namespaces import Namespaces\n{script}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == "['only root may look into all of them'] {}\n"


# libcni's results.


def test_results_tell_by_their_names_whether_del_was_called(tmp_path: Path) -> None:
    (tmp_path / "net-c1-eth0").touch()
    seen = Results([tmp_path])
    assert seen.sign("net", lease()).says == PENDING
    assert seen.sign("net", lease(ifname="")).says == PENDING
    assert seen.sign("net", lease(ifname="eth1")).says == DEAD
    assert seen.sign("other", lease()).says == DEAD
    assert seen.sign("net", lease(container="c2")) == Sign("results", DEAD, "there is none")


def test_without_a_directory_of_results_nothing_is_denied(tmp_path: Path) -> None:
    assert Results([tmp_path / "missing"]).sign("net", lease()).says == SILENT
    (tmp_path / "file").touch()
    assert Results([tmp_path / "file"]).sign("net", lease()).says == SILENT
    assert Results([tmp_path / "file", tmp_path]).sign("net", lease()).says == SILENT
