"""`ipam status`: what it tells of a daemon and of the plugins that call it, and how it exits."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ipam import __version__, bundle, frame
from ipam.cli import main, status
from ipam.launcher import MARK
from tests.daemon.service import Service, ask
from tests.install.conftest import NAME, OLD
from tests.install.environment import Environment

ENV = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0"}

Status = Callable[..., tuple[int, Any]]


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory, nowhere: Path) -> Iterator[Path]:
    """A socket's path, short enough to be one."""
    yield nowhere
    for path in nowhere.parent.iterdir():
        path.unlink()


@pytest.fixture
def run(place: Path, directory: Path, capsys: pytest.CaptureFixture[str]) -> Status:
    """`ipam status` of the daemon at `place` and the plugins in `directory`: its exit status, and what it printed."""

    def run(*options: str) -> tuple[int, Any]:
        code = 0
        try:
            main(["status", "--socket", str(place), "--cni-bin-dir", str(directory), *options])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        if code == 1:
            return code, said.err
        assert said.err == ""
        return code, json.loads(said.out) if "json" in options else said.out

    return run


@contextmanager
def answering(place: Path, reply: bytes) -> Iterator[None]:
    """A daemon that gives everybody the same answer, and closes without one where that is empty."""

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                prefix = connection.recv(frame.PREFIX, socket.MSG_WAITALL)
                if not prefix:
                    return
                connection.recv(frame.payload_length(prefix, frame.REQUEST_LIMIT), socket.MSG_WAITALL)
                connection.sendall(reply)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(place))
        listener.listen()
        thread = Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
                last.connect(str(place))
            thread.join()


def config(data: Path) -> bytes:
    conf = {"cniVersion": "1.0.0", "name": "net", "ipam": {"type": NAME, "subnet": "10.0.0.0/24", "dataDir": str(data)}}
    return json.dumps(conf).encode()


def test_it_exits_with_3_where_nobody_listens(run: Status, place: Path) -> None:
    code, said = run()
    assert (code, said) == (3, f"daemon    not running: nobody listens at {place}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(place))
    code, report = run("-o", "json")
    assert (code, report["daemon"]) == (3, None)


def test_it_counts_what_a_daemon_has_answered_and_how_long_that_took(run: Status, place: Path, tmp_path: Path) -> None:
    with Service(place) as service:
        for command in ("ADD", "ADD", "DEL", "VERSION"):
            ask(place, ENV | {"CNI_COMMAND": command}, config(tmp_path / "leases"))
        code, report = run("-o", "json")
        assert code == 0
        daemon = report["daemon"]
        assert daemon.pop("seconds").keys() == {"ADD", "DEL", "VERSION"}
        assert daemon.pop("since") > 0
        assert daemon == {
            "version": __version__,
            "protocol": frame.PROTOCOL,
            "pid": service.pid,
            "requests": {"ADD error 103": 1, "ADD ok": 1, "DEL ok": 1, "VERSION ok": 1},
            "stores": {f"file://{tmp_path}/leases": "ok"},
        }
        code, table = run()
        assert code == 0
        assert f"daemon    {__version__}, protocol {frame.PROTOCOL}, pid {service.pid}\n" in table
        assert f"stores    file://{tmp_path}/leases  ok\n" in table
        assert "requests  ADD error 103  1\n          ADD ok         1\n" in table
        assert "problems" not in table


def test_the_json_has_the_same_keys_with_and_without_a_daemon(run: Status, place: Path) -> None:
    keys = ["version", "protocol", "socket", "daemon", "plugins", "problems"]
    assert list(run("-o", "json")[1]) == keys
    with Service(place):
        code, report = run("-o", "json")
    assert (code, list(report)) == (0, keys)
    assert list(report["daemon"]) == ["version", "protocol", "pid", "since", "requests", "seconds", "stores"]


def test_a_store_that_is_not_well_is_a_problem(run: Status, place: Path, tmp_path: Path) -> None:
    leases = tmp_path / "leases"
    with Service(place):
        ask(place, ENV, config(leases))
        leases.chmod(0o777)
        code, report = run("-o", "json")
    assert code == 0
    (problem,) = report["problems"]
    assert problem.startswith(f"store file://{leases}: ")
    assert "writable by everybody" in problem


def test_a_daemon_of_another_version_is_a_problem(run: Status, place: Path) -> None:
    answer = {"version": OLD, "protocol": frame.PROTOCOL, "pid": 1, "since": 0, "requests": {}, "seconds": {}}
    reply = frame.encode_reply(0, json.dumps(answer | {"stores": {}}).encode())
    with answering(place, reply):
        code, table = run()
    assert code == 0
    assert f"problems  the daemon still runs version {OLD}, installed is {__version__}: systemctl restart ipam" in table


def test_a_daemon_of_another_protocol_runs_all_the_same(run: Status, place: Path) -> None:
    other = frame.PROTOCOL + 1
    with answering(place, frame.encode_reply(frame.REFUSED, b"", protocol=other)):
        code, report = run("-o", "json")
        assert (code, report["daemon"]) == (0, {"protocol": other})
        assert report["problems"][0].startswith(f"the daemon speaks protocol {other}, this ipam {frame.PROTOCOL}")
        assert f"running at {place}, of another version (protocol {other})" in run()[1]


def test_a_daemon_that_does_not_answer_is_an_error(run: Status, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "PATIENCE", 0.1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(place))
        silent.listen()
        assert run() == (1, f"ipam status: the daemon at {place} does not answer: timed out\n")


def test_a_daemon_that_closes_the_connection_is_an_error(run: Status, place: Path) -> None:
    with answering(place, b""):
        code, said = run()
    assert (code, said) == (1, f"ipam status: the daemon at {place} does not answer: it closed the connection\n")


def test_plugins_are_told_apart(
    run: Status, native: Environment, directory: Path, tmp_path: Path, go_host_local: Path
) -> None:
    native.run("install", "--cni-bin-dir", directory, "--name", "ours")
    native.run("install", "--cni-bin-dir", directory, "--name", "script", "--one-shot")
    (directory / NAME).symlink_to(go_host_local)
    (directory / "bridge").write_bytes(b"nobody asks for this one")
    plugins = [
        {"path": f"{directory}/{NAME}", "kind": "Go", "protocol": None, "version": None, "problems": []},
        {
            "path": f"{directory}/ours",
            "kind": "launcher",
            "protocol": frame.PROTOCOL,
            "version": __version__,
            "problems": [],
        },
        {"path": f"{directory}/script", "kind": "one-shot", "protocol": None, "version": __version__, "problems": []},
    ]
    assert run("-o", "json")[1]["plugins"] == plugins
    table = run()[1]
    assert f"{directory}/{NAME}  not ours (Go)\n" in table
    assert f"{directory}/ours        launcher, protocol 1, falls back to one-shot {__version__}\n" in table
    assert f"{directory}/script      one-shot {__version__}, does not ask the daemon\n" in table
    (directory / NAME).unlink()
    shutil.copy("/bin/true", directory / NAME)
    assert run("-o", "json")[1]["plugins"][0]["kind"] == "other"


def test_a_linked_launcher_is_one_with_the_records_of_its_own_place(
    run: Status, native: Environment, directory: Path, tmp_path: Path
) -> None:
    native.run("install", "--cni-bin-dir", tmp_path / "elsewhere")
    (directory / NAME).symlink_to(tmp_path / "elsewhere" / NAME)
    (plugin,) = run("-o", "json")[1]["plugins"]
    assert (plugin["kind"], plugin["version"], plugin["problems"]) == ("launcher", __version__, [])


def test_an_installed_plugin_of_another_version_is_a_problem(run: Status, old: Environment, directory: Path) -> None:
    old.run("install", "--cni-bin-dir", directory)
    problems = run("-o", "json")[1]["problems"]
    assert problems == [f"{directory}/{NAME}: its one-shot plugin is of version {OLD}: run ipam install again"]


def test_a_launcher_that_speaks_another_protocol_than_the_daemon_is_a_problem(
    run: Status, native: Environment, directory: Path, place: Path
) -> None:
    native.run("install", "--cni-bin-dir", directory)
    launcher = directory / NAME
    launcher.write_bytes(launcher.read_bytes().replace(MARK + b"%d\n" % frame.PROTOCOL, MARK + b"9\n"))
    with Service(place):
        (problem,) = run("-o", "json")[1]["problems"]
    assert problem.startswith(
        f"{launcher} speaks protocol 9, the daemon {frame.PROTOCOL}: every call runs the one-shot"
    )


def test_a_one_shot_that_lacks_a_part_is_a_problem(run: Status, native: Environment, directory: Path) -> None:
    native.run("install", "--cni-bin-dir", directory)
    (code,) = directory.glob(".ipam/*.bundle")
    code.unlink()
    problems = run("-o", "json")[1]["problems"]
    assert problems == [f"{directory}/{NAME}: the one-shot plugin needs {code}, which is gone: run ipam install again"]
    script = directory / f".ipam/{NAME}.oneshot"
    script.write_text(script.read_text().replace(bundle.interpreter(), "/gone/python3"))
    assert any("needs /gone/python3, which is gone" in problem for problem in run("-o", "json")[1]["problems"])
    script.unlink()
    problems = run("-o", "json")[1]["problems"]
    assert problems == [f"{directory}/{NAME}: no one-shot plugin to fall back to: run ipam install again"]


def test_several_directories_are_looked_through(
    run: Status, native: Environment, directory: Path, tmp_path: Path
) -> None:
    for path in (directory, tmp_path / "more"):
        native.run("install", "--cni-bin-dir", path)
    found = run("-o", "json", "--cni-bin-dir", str(tmp_path / "more"), "--cni-bin-dir", "/nonexistent")[1]["plugins"]
    assert [plugin["path"] for plugin in found] == [f"{directory}/{NAME}", f"{tmp_path}/more/{NAME}"]
