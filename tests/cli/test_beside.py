"""Commands that look, while others change what they look at."""

import json
import threading

from tests.cli.node import Node

ROUNDS = 12


def test_every_look_sees_one_moment(node: Node) -> None:
    """A container has its two addresses at once, and gives them back at once: nobody ever sees one alone."""
    ranges = ("10.203.0.0/24", "fd00:cb::/64")
    node.configure(*ranges)
    over = threading.Event()
    failures: list[BaseException] = []

    def live() -> None:
        number = 0
        try:
            while not over.is_set():
                number += 1
                node.add(f"c{number}", *ranges)
                if number > 5:
                    node.delete(f"c{number - 5}")
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=live)
    thread.start()
    try:
        for _ in range(ROUNDS):
            rows = json.loads(node.run("leases", "-o", "json").out)
            containers = [row["container"] for row in rows]
            assert len({row["address"] for row in rows}) == len(rows)
            assert all(containers.count(name) == 2 for name in containers)
            usage = json.loads(node.run("usage", "-o", "json").out)
            assert all(row["leased"] <= 6 for row in usage)
    finally:
        over.set()
        thread.join()
    assert not failures
