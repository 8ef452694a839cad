"""Run as a program where the plugin is: many ADDs at once, and a command now and then among them.

Arguments: the plugin, how many calls, the directory for their output, the network's config, and after how many calls
each the rest of the arguments is run as a command. Prints a JSON object: how each call exited, and what the commands
did: {"calls": [[status, stdout]], "commands": [status]}.
"""

import json
import subprocess
import sys
from pathlib import Path


def main(plugin: str, number: int, place: Path, config: str, every: int, command: list[str]) -> None:
    """Start them all, then wait for them."""
    (place / "config").write_text(config)
    calls, commands = [], []
    for i in range(number):
        env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": f"burst-{i}", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0"}
        with (place / "config").open() as stdin, (place / str(i)).open("w") as stdout:
            calls.append(subprocess.Popen([plugin], env=env, stdin=stdin, stdout=stdout))
        if i % every == every // 2:
            commands.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
    done = [[call.wait(), (place / str(i)).read_text()] for i, call in enumerate(calls)]
    print(json.dumps({"calls": done, "commands": [each.wait() for each in commands]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]), sys.argv[6:])
