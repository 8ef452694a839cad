"""Signals that interrupt system calls change nothing, in whatever the launcher is waiting for."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from ipam import frame
from tests.launcher.conftest import CONFIG, ENV, environment
from tests.launcher.daemon import PATIENCE, Caller, peer_of
from tests.launcher.processes import fill, is_asleep, started, until

# A program starts with no handlers; what it can be interrupted by is what its caller had ignored, what is
# ignored by default, and being stopped and continued.
IGNORED = (signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
HARMLESS = (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH)
TRAP = 'trap "" ALRM USR1 USR2 HUP; exec "$0"'


def pester(process: subprocess.Popen[bytes]) -> None:
    """All these signals, several times, while the launcher waits."""
    until(lambda: is_asleep(process.pid))
    for _ in range(20):
        for each in (*IGNORED, *HARMLESS):
            process.send_signal(each)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(signal.SIGCONT)


def test_a_call_under_a_storm_of_signals_is_answered(launcher: Path, place: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    answer = os.urandom(1 << 20)
    reply = frame.encode_reply(5, answer, b"a line\n")
    config = CONFIG + b" " * (frame.STDIN_LIMIT - len(CONFIG))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        listener,
        fill(listener, place),
        started(["sh", "-c", TRAP, launcher], env=environment(place), **pipes) as process,
    ):
        assert process.stdin is not None
        until(lambda: Path(f"/proc/{process.pid}/exe").resolve() == launcher.resolve())
        pester(process)  # in connect()
        while True:
            connection, _ = listener.accept()
            if peer_of(connection) == process.pid:
                break
            connection.close()
        pester(process)  # reading stdin
        process.stdin.write(config)
        process.stdin.close()
        process.stdin = None
        pester(process)  # sending more than the socket takes
        with connection:
            caller = Caller(connection)
            assert caller.request() == (frame.PROTOCOL, ENV, config)
            pester(process)  # waiting for the answer
            caller.send(reply[:100])
            pester(process)
            caller.send(reply[100:])
            pester(process)  # writing more than the pipe takes
            stdout, stderr = process.communicate(timeout=PATIENCE)
            assert caller.rest() == b""
    assert (process.returncode, stdout == answer, stderr) == (5, True, b"a line\n")
