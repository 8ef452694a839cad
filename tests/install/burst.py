"""Many ADDs at once, and a command now and then among them. Also a program, to be run where the plugin is.

Arguments: the plugin, how many calls, a directory for their output, the network's config, after how many calls each
time the command is run, and that. The result is how everything ended:
{"calls": [[exit status, stdout]], "commands": [exit status]}.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(plugin: str, number: int, place: Path, config: str, every: int, command: list[str]) -> dict[str, Any]:
    """Start them all, then wait for them."""
    (place / "config").write_text(config)
    calls, commands = [], []
    for i in range(number):
        env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": f"burst-{i}", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0"}
        with (place / "config").open() as stdin, (place / str(i)).open("w") as stdout:
            calls.append(subprocess.Popen([plugin], env=env, stdin=stdin, stdout=stdout))
        if i % every == every // 2:
            for each in (*commands, calls[-1]):
                each.wait()  # so that each command finds a daemon at work
            commands.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
    done = [[call.wait(), (place / str(i)).read_text()] for i, call in enumerate(calls)]
    return {"calls": done, "commands": [each.wait() for each in commands]}


if __name__ == "__main__":
    _, plugin, number, place, config, every, *command = sys.argv
    print(json.dumps(main(plugin, int(number), Path(place), config, int(every), command)))
