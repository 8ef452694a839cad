"""What the runtimes of a node say: programs that answer as each CLI does. Podman itself: tests/podman/test_gc.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipam.inspection.staleness import DEAD, ENDED, LIVE, SILENT, Sign
from ipam.witnesses.runtimes import KINDS, Runtimes
from tests.cli.test_witnesses import lease

PODMAN = """[
 {"Id": "running", "State": "running", "Pid": %d},
 {"Id": "created", "State": "created", "Pid": 0},
 {"Id": "exited", "State": "exited", "Pid": 0},
 {"Id": "killed", "State": "running", "Pid": 4194400}
]"""
CRICTL = """{"items": [
 {"id": "running", "metadata": {"name": "web"}, "state": "SANDBOX_READY"},
 {"id": "exited", "metadata": {"name": "db"}, "state": "SANDBOX_NOTREADY"}
]}"""
CTR = """case "$*" in
*namespaces*) echo k8s.io ;;
*tasks*) printf 'TASK       PID    STATUS\\nrunning    42     RUNNING\\nexited     43     STOPPED\\n' ;;
*containers*) printf 'running\\nexited\\ncreated\\n' ;;
esac"""
DOCKER = "printf 'running running\\nexited exited\\npaused paused\\n'"


def put(directory: Path, name: str, script: str) -> None:
    """A program of that name."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of programs, in front of all others; no runtime is elsewhere."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "cat", "printf", "sleep"):
        (directory / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(directory))
    return directory


def kinds(tmp_path: Path, *names: str) -> Runtimes:
    """The runtimes of those names, with their sockets."""
    import socket

    chosen = []
    for kind in KINDS:
        if kind.name in names and kind.sockets:
            path = tmp_path / f"{kind.name}.sock"
            if not path.exists():
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(str(path))
            chosen.append(kind._replace(sockets=(path,)))
        elif kind.name in names:
            chosen.append(kind)
    return Runtimes(tuple(chosen))


@pytest.mark.parametrize(
    ("kind", "command", "script", "expected"),
    [
        ("podman", "podman", f"cat <<'END'\n{PODMAN % os.getpid()}\nEND",
         {"running": LIVE, "created": LIVE, "exited": ENDED, "killed": ENDED, "unknown": DEAD}),
        ("cri-o", "crictl", f"cat <<'END'\n{CRICTL}\nEND", {"running": LIVE, "exited": ENDED, "unknown": DEAD}),
        ("containerd", "ctr", CTR,
         {"running": LIVE, "k8s.io-running": LIVE, "exited": ENDED, "created": ENDED, "unknown": DEAD}),
        ("docker", "docker", DOCKER, {"running": LIVE, "exited": ENDED, "paused": LIVE, "unknown": DEAD}),
    ],
)  # fmt: skip
def test_a_runtime_tells_which_containers_run(
    tmp_path: Path, programs: Path, kind: str, command: str, script: str, expected: dict[str, str]
) -> None:
    put(programs, command, script)
    seen = kinds(tmp_path, kind)
    assert {name: seen.sign(lease(container=name)).says for name in expected} == expected


@pytest.mark.parametrize("name", ["podman", "docker", "containerd", "cri-o"])
def test_no_variable_leads_to_the_runtime_of_another_node(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    command = next(kind.command for kind in KINDS if kind.name == name)
    put(programs, command, 'test -z "$CONTAINER_HOST$DOCKER_HOST$CONTAINERD_ADDRESS" || exit 0\necho asked >&2; exit 1')
    for variable in ("CONTAINER_HOST", "DOCKER_HOST", "CONTAINERD_ADDRESS"):
        monkeypatch.setenv(variable, "unix:///elsewhere.sock")
    assert kinds(tmp_path, name).sign(lease()).text == f"{name} does not tell: {command} failed: asked"


@pytest.mark.parametrize(
    "script", ["exit 1", "echo '{'", "echo '[1]'", "echo '[{}]'", "echo '[{\"Id\": 5}]'", 'echo "[{\\"Id\\": \\"x\\""']
)
def test_half_an_answer_denies_nothing(tmp_path: Path, programs: Path, script: str) -> None:
    put(programs, "podman", script)
    sign = kinds(tmp_path, "podman").sign(lease())
    assert sign.says == SILENT
    assert sign.text.startswith("podman does not tell: ")


def test_a_second_runtime_that_does_not_answer_keeps_the_first_from_denying(tmp_path: Path, programs: Path) -> None:
    put(programs, "podman", f"cat <<'END'\n{PODMAN % os.getpid()}\nEND")
    put(programs, "ctr", "echo 'cannot dial' >&2; exit 1")
    seen = kinds(tmp_path, "podman", "containerd")
    assert seen.sign(lease(container="unknown")) == Sign(
        "runtime", SILENT, "containerd does not tell: ctr failed: cannot dial"
    )
    assert seen.sign(lease(container="running")).says == LIVE


def test_every_socket_of_a_runtime_is_asked(tmp_path: Path, programs: Path) -> None:
    import socket

    sockets = (tmp_path / "one", tmp_path / "two")
    for path in sockets:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    put(
        programs,
        "ctr",
        f'case "$2$*" in {tmp_path}/two*tasks*) printf "TASK PID STATUS\nc1 1 RUNNING\n";; *ls*-q) echo x;; esac',
    )
    (kind,) = (each for each in KINDS if each.name == "containerd")
    assert Runtimes((kind._replace(sockets=sockets),)).sign(lease()).says == LIVE
    put(programs, "ctr", f'case "$2" in {tmp_path}/two) exit 1;; esac; echo x')
    assert Runtimes((kind._replace(sockets=sockets),)).sign(lease()).says == SILENT


def test_a_runtime_that_is_here_and_cannot_be_asked_denies_nothing(tmp_path: Path, programs: Path) -> None:
    sign = kinds(tmp_path, "cri-o").sign(lease())
    assert (sign.says, sign.text) == (SILENT, "cri-o runs here, and crictl is missing to ask it")


def test_a_socket_that_cannot_be_seen_denies_nothing(as_root: None) -> None:
    script = (
        "import os, tempfile\nfrom pathlib import Path\nfrom ipam.witnesses.runtimes import KINDS, Runtimes\n"
        "from tests.cli.test_witnesses import lease\ndirectory = tempfile.mkdtemp()\n"
        "(kind,) = [each for each in KINDS if each.name == 'containerd']\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(Runtimes((kind._replace(sockets=(Path(directory) / 'sock',)),)).sign(lease()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "runtime: whether containerd runs here cannot be seen: Permission denied\n"


def test_a_client_without_its_runtime_is_no_witness(programs: Path) -> None:
    put(programs, "crictl", "exit 1")
    (kind,) = (each for each in KINDS if each.name == "cri-o")
    assert Runtimes((kind._replace(sockets=(programs / "none.sock",)),)).sign(lease()).text == "none is known here"


def test_a_runtime_that_hangs_is_not_waited_for(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipam.witnesses import runtimes

    monkeypatch.setattr(runtimes, "TIMEOUT", 0.2)
    put(programs, "podman", "exec sleep 60")
    assert kinds(tmp_path, "podman").sign(lease()).says == SILENT
