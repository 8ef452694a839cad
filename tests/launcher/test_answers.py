"""What goes to the daemon, and what of its answer reaches the caller."""

import os
import resource
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from ipam import frame
from tests.launcher.conftest import CONFIG, ENV, as_environ, environment, run
from tests.launcher.daemon import PATIENCE, Caller, Daemon, answering
from tests.launcher.processes import started

RESULT = b'{\n    "cniVersion": "1.0.0",\n    "ips": []\n}'


@pytest.mark.parametrize("status", [0, 1, 11, 254, 255])
def test_the_answer_reaches_the_caller_with_its_exit_status(launcher: Path, place: Path, status: int) -> None:
    with Daemon(place, answering(frame.encode_reply(status, RESULT, b"a line\n"))):
        done = run(launcher, place)
    assert (done.returncode, done.stdout, done.stderr) == (status, RESULT, b"a line\n")


def test_the_daemon_sees_the_cni_variables_the_trace_and_stdin_alone(launcher: Path, place: Path) -> None:
    seen = {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "CNI_ARGS": "IP=10.1.2.3"}
    unseen = {"PATH": "/usr/bin", "TRACEPARENTS": "x", "cni_x": "x", "XCNI_A": "x", "LD_LIBRARY_PATH": "/opt/lib"}
    with Daemon(place, answering(frame.encode_reply(0, b""))) as daemon:
        run(launcher, place, **seen, **unseen)
    assert daemon.seen == [((frame.PROTOCOL, ENV | seen, CONFIG), b"")]


def test_the_request_is_the_frame_that_python_makes(launcher: Path, place: Path) -> None:
    def behave(caller: Caller) -> bytes:
        payload = caller.payload()
        caller.send(frame.encode_reply(0, b""))
        return payload

    with Daemon(place, behave) as daemon:
        run(launcher, place)
    assert daemon.seen == [frame.encode_request(ENV, CONFIG)[frame.PREFIX :]]


def test_bytes_that_are_no_text_pass_in_both_directions(launcher: Path, place: Path) -> None:
    every_byte = bytes(range(256)) * 5
    with Daemon(place, answering(frame.encode_reply(0, every_byte, every_byte))) as daemon:
        done = run(launcher, place, every_byte, CNI_ARGS="\udcff\udc80=ü")
    assert (done.stdout, done.stderr) == (every_byte, every_byte)
    assert daemon.seen == [((frame.PROTOCOL, {**ENV, "CNI_ARGS": "\udcff\udc80=ü"}, every_byte), b"")]


@pytest.mark.parametrize("length", [0, 1, 65_536, frame.STDIN_LIMIT])
def test_a_config_of_up_to_1_mib_arrives_whole(launcher: Path, place: Path, length: int) -> None:
    config = os.urandom(length)
    with Daemon(place, answering(frame.encode_reply(0, b"{}"))) as daemon:
        assert run(launcher, place, config).stdout == b"{}"
    assert daemon.seen == [((frame.PROTOCOL, ENV, config), b"")]


@pytest.mark.parametrize("errors", [0, 1 << 20])
def test_an_answer_of_up_to_4_mib_arrives_whole(launcher: Path, place: Path, errors: int) -> None:
    answer = os.urandom(frame.REPLY_LIMIT - 6 - errors)
    with Daemon(place, answering(frame.encode_reply(0, answer, b"e" * errors))) as daemon:
        done = run(launcher, place)
    assert (done.stdout == answer, done.stderr == b"e" * errors) == (True, True)
    assert daemon.seen == [((frame.PROTOCOL, ENV, CONFIG), b"")]


def test_an_answer_that_comes_byte_by_byte_is_put_together(launcher: Path, place: Path) -> None:
    def behave(caller: Caller) -> None:
        caller.request()
        for byte in frame.encode_reply(7, RESULT, b"slow\n"):
            caller.send(bytes([byte]))

    with Daemon(place, behave):
        done = run(launcher, place)
    assert (done.returncode, done.stdout, done.stderr) == (7, RESULT, b"slow\n")


def test_an_answer_that_comes_before_the_request_was_read_is_the_answer(launcher: Path, place: Path) -> None:
    with Daemon(place, lambda caller: caller.send(frame.encode_reply(1, b"too long"))):
        done = run(launcher, place, bytes(frame.STDIN_LIMIT))
    assert (done.returncode, done.stdout) == (1, b"too long")


def test_variables_of_up_to_256_kib_arrive_and_others_do_not_count(launcher: Path, place: Path) -> None:
    # One variable may have 128 KiB; each takes its NUL, and the frame two bytes.
    room = frame.VARIABLES_LIMIT - 2 - sum(len(each) + 1 for each in as_environ(ENV))
    large = {f"CNI_{i}": "a" * 100_000 for i in range(2)}
    large["CNI_2"] = "a" * (room - sum(len(each) + 1 for each in as_environ(large)) - len("CNI_2=") - 1)
    with Daemon(place, answering(frame.encode_reply(0, b"{}"))) as daemon:
        done = run(launcher, place, **large, **{f"OTHER_{i}": "b" * 100_000 for i in range(4)})
    assert done.stdout == b"{}"
    assert daemon.seen == [((frame.PROTOCOL, ENV | large, CONFIG), b"")]


@pytest.mark.parametrize("netns", ["/proc/self/ns/net", "/proc/thread-self/ns/net", "/tmp/a-link"])
def test_it_tells_that_the_namespace_is_its_own(launcher: Path, place: Path, netns: str, tmp_path: Path) -> None:
    if netns == "/tmp/a-link":
        link = tmp_path / "netns"
        link.symlink_to("/proc/self/ns/net")
        netns = str(link)
    with Daemon(place, answering(frame.encode_reply(0, b"{}"))) as daemon:
        run(launcher, place, CNI_NETNS=netns)
    assert daemon.seen == [((frame.PROTOCOL, ENV | {"CNI_NETNS": netns, frame.OWN_NETNS: "1"}, CONFIG), b"")]


@pytest.mark.parametrize("netns", ["", "/proc/self/ns/uts", "/nowhere", "proc/self/ns/net", "/dev/null", "/" * 5000])
def test_it_tells_nothing_of_other_namespaces(launcher: Path, place: Path, netns: str) -> None:
    with Daemon(place, answering(frame.encode_reply(0, b"{}"))) as daemon:
        run(launcher, place, CNI_NETNS=netns, **{frame.OWN_NETNS: "1"})
    assert daemon.seen == [((frame.PROTOCOL, ENV | {"CNI_NETNS": netns}, CONFIG), b"")]


def test_small_limits_on_stack_and_memory_do_not_matter(launcher: Path, place: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_STACK, (16 << 10, 16 << 10))
        resource.setrlimit(resource.RLIMIT_AS, (16 << 20, 16 << 20))

    with Daemon(place, answering(frame.encode_reply(0, RESULT))):
        done = subprocess.run(
            [launcher],
            env=environment(place),
            input=CONFIG,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            preexec_fn=limit,
        )
    assert (done.returncode, done.stdout) == (0, RESULT)


def test_callers_wait_for_room_in_the_daemons_queue(launcher: Path, place: Path, tmp_path: Path) -> None:
    def behave(caller: Caller) -> None:
        caller.send(frame.encode_reply(0, caller.request()[2]))

    callers = []
    with ExitStack() as processes, Daemon(place, behave, backlog=1):
        for i in range(100):
            config = tmp_path / str(i)
            config.write_bytes(b"config %d" % i)
            with config.open("rb") as stdin:
                caller = started([launcher], env=environment(place), stdin=stdin, stdout=subprocess.PIPE)
                callers.append(processes.enter_context(caller))
        answers = [process.communicate(timeout=PATIENCE)[0] for process in callers]
    assert answers == [b"config %d" % i for i in range(100)]
