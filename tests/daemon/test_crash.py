"""kill -9 of the daemon in the middle of 500 calls: each gets an answer, nothing is doubled, nothing stays behind."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.daemon.calls import address, assert_sound, code, config, environment, history, leases
from tests.daemon.conftest import Serve
from tests.daemon.service import PATIENCE, Client, ask, start_call, until

HALF = 250
TRY_AGAIN = 11


@pytest.mark.parametrize("moment", [150, 350])
def test_each_caller_gets_an_answer_and_after_the_dels_nothing_is_left(
    moment: int, serve: Serve, own_launcher: Path, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    stdin = config(data_dir, lockTimeout=60)
    service = serve()
    old = {f"old{number}": ask(service.socket, environment("ADD", f"old{number}"), stdin)[1] for number in range(HALF)}
    done_before = len(history(data_dir))
    records = data_dir / ".ipam" / "net" / "history"

    def kill() -> None:
        until("enough is done", lambda: records.read_bytes().count(b"\n") >= done_before + moment)
        service.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    calls = {}
    for number in range(HALF):
        calls[f"new{number}"] = start_call(own_launcher, environment("ADD", f"new{number}"), stdin)
        calls[f"old{number}"] = start_call(own_launcher, environment("DEL", f"old{number}"), stdin)
    answers = {who: call.communicate(timeout=PATIENCE) for who, call in calls.items()}
    killer.join()

    for who, call in calls.items():
        stdout, _ = answers[who]
        assert (call.returncode, code(stdout)) in ((0, 0), (1, TRY_AGAIN)), (who, answers[who])
        assert call.returncode == 0 or b"ipam daemon went away" in stdout, stdout
    given = {who: address(answers[who][0]) for who, call in calls.items() if not call.returncode and who[:3] == "new"}
    assert len(set(given.values())) == len(given)
    assert not set(given.values()) & {address(stdout) for stdout in old.values()}
    held = leases(data_dir)
    assert_sound(held)
    assert {held.get(place) for place in given.values()} <= set(given)
    assert {held[place] for place in given.values()} == set(given)
    released = {who for who, call in calls.items() if not call.returncode and who[:3] == "old"}
    assert not released & set(held.values())

    # A runtime sends DEL for what failed, and again for what it is not sure of.
    everybody = list(calls)
    for who in everybody[: len(everybody) // 10]:
        assert start_call(own_launcher, environment("DEL", who), stdin).communicate()[0] == b""  # the one-shot
    service.start()
    for who in everybody:
        assert ask(service.socket, environment("DEL", who), stdin)[0] == 0
    assert leases(data_dir) == {}
    status, stdout, _ = ask(service.socket, environment("ADD", "later"), stdin)
    assert (status, leases(data_dir)) == (0, {address(stdout): "later"})


def test_a_daemon_killed_over_and_over_under_load_leaks_nothing(serve: Serve, tmp_path: Path) -> None:
    stdin = config(tmp_path)
    service = serve()
    answered: dict[str, str] = {}
    for turn in range(8):
        clients = {f"c{turn}-{number}": Client(service.socket) for number in range(100)}
        for who, client in clients.items():
            client.send(environment("ADD", who), stdin)
        first = next(iter(clients))
        answered[address(clients[first].receive()[1])] = first
        service.kill()
        for who, client in clients.items():
            if who != first:
                with suppress(ConnectionError):
                    answered[address(client.receive()[1])] = who
            client.close()
        service.start()
        held = leases(tmp_path)
        assert_sound(held)
        assert answered.items() <= held.items()
        for who in clients:
            assert ask(service.socket, environment("DEL", who), stdin)[0] == 0
        answered.clear()
        assert leases(tmp_path) == {}
