"""`python -m tests.daemon.soak`: many calls of all kinds against one daemon, and how much memory it has after each lot.

The calls differ as those of a runtime do: each container has another id, each DEL another prevResult.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

from tests.daemon.calls import config, environment
from tests.daemon.service import Client, Service, ask

LIMIT = 22.0
"""MiB that the daemon may have with the directory store."""

GROWTH = 1.0
"""MiB that it may have more at the end than when every kind of call was made for the first time."""

BURST = 100
ROUND = 5 * BURST + 2 * BURST // 4 + 4 * BURST // 20
"""Calls in a round."""

ROUNDS_IN_A_LOT = 10


def resident(pid: int) -> float:
    """MiB of memory that a process has now."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


def campaign(service: Service, data_dir: Path, rounds: int) -> Iterator[float]:
    """So many rounds of ROUND calls; the daemon's memory in MiB after each lot of them."""
    numbers = count()
    for number in range(1, rounds + 1):
        _round(service, data_dir, number, numbers)
        if number % ROUNDS_IN_A_LOT == 0:
            yield resident(service.pid)


def _round(service: Service, data_dir: Path, number: int, numbers: Iterator[int]) -> None:
    network = f"net{number % 3}"
    stdin = config(data_dir, network)
    names = [f"container{next(numbers)}" for _ in range(BURST)]
    answers = _together(service, [(environment("ADD", name), stdin) for name in names])
    results = {name: json.loads(stdout) for name, (_, stdout, _) in zip(names, answers, strict=True)}
    later = {name: json.dumps(json.loads(stdin) | {"prevResult": result}).encode() for name, result in results.items()}
    for name in names:
        assert ask(service.socket, environment("CHECK", name), later[name])[0] == 0
    for index in range(BURST // 4):
        assert ask(service.socket, environment("ADD", names[index]), stdin)[0] == 1  # it has an address already
        with Client(service.socket) as caller:  # and goes away before it is answered
            caller.send(environment("ADD", f"lost{next(numbers)}"), stdin)
    for index in range(BURST // 20):
        bad = next(numbers)
        ask(service.socket, environment(f"BAD{bad}"), stdin)
        ask(service.socket, environment("ADD", f"bad/{bad}"), stdin)
        ask(service.socket, environment("ADD"), b"[" * (bad % 1000))
        with Client(service.socket) as caller, suppress(OSError):
            caller.socket.sendall(bytes([0, 0, 1]) * (index + 1))  # no frame, or half of one
    answers = _together(service, [(environment("DEL", name), later[name]) for name in names])
    answers += [ask(service.socket, environment("DEL", name), stdin) for name in names]
    answers += [ask(service.socket, environment("VERSION")) for _ in range(BURST)]
    assert {status for status, _, _ in answers} == {0}


def _together(service: Service, calls: list[tuple[dict[str, str], bytes]]) -> list[tuple[int, bytes, bytes]]:
    with ExitStack() as callers:
        clients = [callers.enter_context(Client(service.socket)).send(env, stdin) for env, stdin in calls]
        return [client.receive() for client in clients]


def main(calls: int) -> None:
    """Print how the memory grows; exit with 1 where it should not have."""
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory, Service(Path(directory, "s")) as service:
        print(f"     0 calls {resident(service.pid):6.1f} MiB")
        sizes = []
        for lot, size in enumerate(campaign(service, Path(directory, "data"), -(-calls // ROUND)), 1):
            print(f"{lot * ROUNDS_IN_A_LOT * ROUND:6} calls {size:6.1f} MiB", flush=True)
            sizes.append(size)
    growth = sizes[-1] - sizes[0]
    print(f"growth {growth:+.1f} MiB after the first lot; most {max(sizes):.1f} MiB")
    if max(sizes) > LIMIT or growth > GROWTH:
        sys.exit(f"more than {LIMIT:g} MiB, or grown by more than {GROWTH:g} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
