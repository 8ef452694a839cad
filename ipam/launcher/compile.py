"""Compiling the launcher: for the build of the package and for the tests. Imports nothing else of ours."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).with_name("launcher.c")
MACHINES = {"x86_64": 62, "aarch64": 183}
"""The machines that linux.h knows, and their numbers in an executable's header (e_machine)."""

COMPILERS = ("cc", "gcc", "clang")
LONGEST_SOCKET_PATH = 107
FLAGS = (
    "-std=c11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-static",
    "-nostdlib",
    "-ffreestanding",
    "-fno-stack-protector",  # it needs a C library; no buffer of the launcher's is on the stack
    "-fno-asynchronous-unwind-tables",
    "-fno-pie",  # nothing would relocate it
    "-Wl,-z,noexecstack",
    "-Wl,-z,noseparate-code",  # to map more pieces of it takes a tenth of the whole call
    "-Wl,--build-id=none",  # the same bytes from the same compiler, wherever it runs
    "-s",
)
_E_MACHINE = slice(18, 20)


class CannotCompile(Exception):
    """There is no compiler, or it failed, or the launcher does not know this machine."""


def find_compiler(environ: Mapping[str, str] = os.environ) -> list[str] | None:
    """The C compiler to call: what CC says, which may have arguments, or else the first that is installed."""
    chosen = shlex.split(environ.get("CC", ""))
    if chosen:
        return chosen if shutil.which(chosen[0]) else None
    return next(([name] for name in COMPILERS if shutil.which(name)), None)


def machine() -> str:
    """The machine that this Python builds packages for, as in a wheel's platform tag."""
    return sysconfig.get_platform().rpartition("-")[2]


def compile_launcher(
    target: Path, *, for_tests: bool = False, socket: str | None = None, defines: Mapping[str, int] | None = None
) -> None:
    """Make the launcher at `target`, whole or not at all.

    `for_tests`: IPAM_SOCKET and IPAM_ONESHOT in its environment count, and a compiler's warning is an error.
    `socket`: the daemon's socket, where it is not the usual one. `defines`: other deadlines, in seconds.
    Raises CannotCompile, and ValueError for a socket's path that cannot be one.
    """
    compiler = find_compiler()
    if compiler is None:
        raise CannotCompile(f"no C compiler (looked for {os.environ.get('CC') or ', '.join(COMPILERS)})")
    if machine() not in MACHINES:
        raise CannotCompile(f"it is written for {' and '.join(MACHINES)}, not for {machine()}")
    options = [f"-D{name}={value}" for name, value in (defines or {}).items()]
    if for_tests:
        options += ["-DIPAM_FOR_TESTS", "-Werror"]
    if socket is not None:
        options.append(f'-DIPAM_SOCKET="{_checked(socket)}"')
    made = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _run([*compiler, *FLAGS, *options, "-o", str(made), str(SOURCE)])
        _check_machine(made)
        made.chmod(0o755)
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


def _checked(socket: str) -> str:
    if not (socket.startswith("/") and socket.isascii() and socket.isprintable()) or set(socket) & set('"\\'):
        raise ValueError(f"the socket's path must be absolute, in plain characters: {socket!r}")
    if len(socket) > LONGEST_SOCKET_PATH:
        raise ValueError(f"a socket's path has at most {LONGEST_SOCKET_PATH} characters: {socket}")
    return socket


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise CannotCompile(f"{command[0]}: {error}") from None
    if done.returncode:
        raise CannotCompile(f"{command[0]} failed:\n{done.stderr.strip()}")


def _check_machine(path: Path) -> None:
    """A compiler for another machine would make a wheel that lies about its platform."""
    with path.open("rb") as file:
        number = int.from_bytes(file.read(_E_MACHINE.stop)[_E_MACHINE], "little")
    if number != MACHINES[machine()]:
        raise CannotCompile(f"the compiler makes programs for another machine than {machine()}")
