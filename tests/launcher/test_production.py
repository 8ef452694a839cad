"""The launcher as it is shipped: nothing of the caller's redirects it, and it depends on nothing."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from ipam import frame
from ipam.launcher import launcher_path, protocol_of
from ipam.launcher.compile import FLAGS, SOURCE, CannotCompile, compile_launcher, find_compiler
from tests.launcher.conftest import CONFIG, ENV, NAME, Build, as_environ, fallback
from tests.launcher.daemon import PATIENCE, Daemon, answering

REPLY = frame.encode_reply(0, b"{}")
TEMPTING = {
    "IPAM_ONESHOT": "/bin/false",
    "IPAM_DEADLINE": "0",
    "LD_LIBRARY_PATH": "/opt/containerd/lib",
    "LD_PRELOAD": "/nonexistent.so",
    "PYTHONPATH": "/nonexistent",
}
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
EXECUTABLE, WRITABLE = 1, 2


@pytest.fixture
def shipped(build: Build, place: Path) -> Path:
    """A launcher that is not for tests, whose one and only socket is at `place`."""
    return build(for_tests=False, socket=str(place))


def segments(path: Path) -> list[tuple[int, int]]:
    """The type and the flags of each segment of a 64-bit little-endian executable."""
    data = path.read_bytes()
    assert data[:6] == b"\x7fELF\x02\x01"
    start, size, count = (int.from_bytes(data[at:to], "little") for at, to in ((32, 40), (54, 56), (56, 58)))
    headers = [data[start + i * size :][:8] for i in range(count)]
    return [(int.from_bytes(each[:4], "little"), int.from_bytes(each[4:], "little")) for each in headers]


def test_no_variable_or_directory_of_the_caller_redirects_it(shipped: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / ".ipam").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trap, Daemon(place, answering(REPLY)) as daemon:
        trap.bind(str(place.with_name("trap")))
        trap.listen()
        trap.setblocking(False)
        done = subprocess.run(
            [f"./{os.path.relpath(shipped, tmp_path)}"],
            env=ENV | TEMPTING | {"IPAM_SOCKET": str(place.with_name("trap"))},
            input=CONFIG,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            cwd=tmp_path,
        )
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert (done.returncode, done.stdout) == (0, b"{}")
    assert daemon.seen == [((frame.PROTOCOL, ENV, CONFIG), b"")]


def test_the_one_shot_is_the_one_beside_it_whatever_the_caller_says(shipped: Path, tmp_path: Path) -> None:
    decoy = tmp_path / ".ipam" / f"{NAME}.oneshot"
    decoy.parent.mkdir()
    decoy.write_text("#!/bin/false\n")
    decoy.chmod(0o755)
    env = ENV | {key: value for key, value in TEMPTING.items() if not key.startswith("LD_")}
    done = subprocess.run(
        ["./" + NAME],
        executable=shipped,
        env=env,
        input=CONFIG,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        cwd=tmp_path,
    )
    assert fallback(done) == (as_environ(env), CONFIG)


ASKED_FOR = {"CNI_COMMAND", "CNI_NETNS"}


@pytest.mark.parametrize(
    ("options", "known"),
    [([], ASKED_FOR), (["-DIPAM_FOR_TESTS"], ASKED_FOR | {"IPAM_SOCKET", "IPAM_ONESHOT"})],
)
def test_no_variable_that_it_asks_for_leads_it_elsewhere(launcher: Path, options: list[str], known: set[str]) -> None:
    compiler = find_compiler()
    assert compiler is not None
    source = subprocess.check_output([*compiler, "-ffreestanding", "-E", *options, str(SOURCE)], text=True)
    assert set(re.findall(r'\bvariable\("(\w+)="\)', source)) == known


def test_it_needs_no_library_and_its_stack_is_not_executable(shipped: Path) -> None:
    kinds = dict(segments(shipped))
    assert PT_INTERP not in kinds
    assert PT_DYNAMIC not in kinds
    assert not kinds[PT_GNU_STACK] & EXECUTABLE
    assert not [flags for kind, flags in segments(shipped) if kind == PT_LOAD and flags & 3 == EXECUTABLE | WRITABLE]


def test_its_file_tells_the_protocol_that_it_speaks(shipped: Path, tmp_path: Path) -> None:
    assert protocol_of(shipped) == frame.PROTOCOL
    other = tmp_path / "other"
    other.write_bytes(b"ipam launcher, protocol x\n")
    assert protocol_of(other) is None
    assert protocol_of(Path("/bin/true")) is None


def test_a_launcher_that_came_with_the_package_speaks_its_protocol() -> None:
    built = launcher_path()
    assert built is None or protocol_of(built) == frame.PROTOCOL


def test_c_and_python_agree_on_the_limits() -> None:
    source = SOURCE.read_text()
    limits = {name: eval(value) for name, value in re.findall(r"(\w+_LIMIT) = (\d+ << \d+)", source)}
    assert limits == {
        "STDIN_LIMIT": frame.STDIN_LIMIT,
        "VARIABLES_LIMIT": frame.VARIABLES_LIMIT,
        "REPLY_LIMIT": frame.REPLY_LIMIT,
    }
    assert f"#define PROTOCOL {frame.PROTOCOL}\n" in source
    assert f"REFUSED = {frame.REFUSED}," in source


def test_the_source_passes_a_stricter_compiler_than_the_builds(launcher: Path, tmp_path: Path) -> None:
    compiler = find_compiler()
    assert compiler is not None
    strict = ["-Werror", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Wundef", "-Wvla"]
    subprocess.run([*compiler, *FLAGS, *strict, "-o", str(tmp_path / "strict"), str(SOURCE)], check=True)


@pytest.mark.parametrize("compiler", ["/nonexistent/cc", "false"])
def test_without_a_compiler_that_works_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(CannotCompile, match=compiler):
        compile_launcher(tmp_path / NAME)
    assert list(tmp_path.iterdir()) == []


def test_the_compiler_is_what_cc_says_with_its_arguments_or_the_first_there_is() -> None:
    assert find_compiler({"CC": "sh -c 'x y'"}) == ["sh", "-c", "x y"]
    assert find_compiler({"CC": "/nonexistent"}) is None
    assert find_compiler({"CC": ""}) == find_compiler({})


def test_another_machine_gets_no_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launcher: Path) -> None:
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", "linux-riscv64")  # as when Python packages are cross-built
    with pytest.raises(CannotCompile, match="riscv64"):
        compile_launcher(tmp_path / NAME)
    foreign = "linux-aarch64" if os.uname().machine == "x86_64" else "linux-x86_64"
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", foreign)
    with pytest.raises(CannotCompile, match="another machine"):
        compile_launcher(tmp_path / NAME)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["relative", "/a/\n", '/a"b', "/a\\b", "/ü", "/" + "a" * 107])
def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path, launcher: Path, path: str) -> None:
    with pytest.raises(ValueError, match="socket's path"):
        compile_launcher(tmp_path / NAME, socket=path)
