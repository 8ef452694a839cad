"""A small container runtime: it chains CNI plugins and remembers their results as libcni does."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

Json = dict[str, Any]

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CALL_TIMEOUT = 60.0


class Attachment(NamedTuple):
    """One container interface, and what the runtime says about it."""

    container_id: str
    netns: str
    ifname: str = "eth0"
    args: str = ""
    """CNI_ARGS, as text."""
    capabilities: Json = {}  # noqa: RUF012 (never written to)
    """What the runtime offers by capability: `portMappings`, `ips`, `ipRanges` ..."""


class PluginError(Exception):
    """A plugin refused; `answer` is the error object that it printed."""

    def __init__(self, plugin: str, command: str, answer: Json) -> None:
        self.plugin = plugin
        self.command = command
        self.answer = answer
        self.code = answer.get("code")
        self.msg = str(answer.get("msg", ""))
        self.details = str(answer.get("details", ""))
        super().__init__(f"{plugin} {command}: {json.dumps(answer)}")


class Runtime:
    """Runs the plugins of a network list; the result of each attachment is cached until its DEL.

    `within` stands before every plugin's command line: `ip netns exec NAME` puts the plugins on a node
    of the caller's own.
    """

    def __init__(self, cni_bin: Path, cache: Path, *, within: Sequence[str] = ()) -> None:
        self.cni_bin = cni_bin
        self.cache = cache
        self.within = tuple(within)

    def add(self, network: Json, attachment: Attachment) -> Json:
        """Attach: each plugin gets the result of the one before it. Returns the last result."""
        result: Json | None = None
        for plugin in network["plugins"]:
            result = self._call("ADD", network, plugin, attachment, previous=result)
        if result is None:
            raise ValueError(f"network {network['name']} has no plugins")
        self._remember(network, attachment, result)
        return result

    def check(self, network: Json, attachment: Attachment) -> None:
        """Ask every plugin whether the attachment is as its ADD left it."""
        if not _at_least_0_4_0(network):
            raise ValueError(f"configuration version {network['cniVersion']} does not support CHECK")
        previous = self.cached(network, attachment)
        for plugin in network["plugins"]:
            self._call("CHECK", network, plugin, attachment, previous=previous)

    def delete(self, network: Json, attachment: Attachment) -> None:
        """Detach, last plugin first; a second time too, then without a result to show to the plugins."""
        previous = self.cached(network, attachment) if _at_least_0_4_0(network) else None
        for plugin in reversed(network["plugins"]):
            self._call("DEL", network, plugin, attachment, previous=previous)
        self._cache_file(network, attachment).unlink(missing_ok=True)

    def cached(self, network: Json, attachment: Attachment) -> Json | None:
        """The result of the attachment's ADD, as long as no DEL has succeeded."""
        try:
            entry = json.loads(self._cache_file(network, attachment).read_bytes())
        except FileNotFoundError:
            return None
        return cast(Json, entry["result"])

    def _cache_file(self, network: Json, attachment: Attachment) -> Path:
        return self.cache / "results" / f"{network['name']}-{attachment.container_id}-{attachment.ifname}"

    def _remember(self, network: Json, attachment: Attachment, result: Json) -> None:
        file = self._cache_file(network, attachment)
        file.parent.mkdir(parents=True, exist_ok=True)
        entry = {
            "kind": "cniCacheV1",
            "containerId": attachment.container_id,
            "ifName": attachment.ifname,
            "networkName": network["name"],
            "result": result,
        }
        file.write_text(json.dumps(entry))

    def _call(
        self, command: str, network: Json, plugin: Json, attachment: Attachment, *, previous: Json | None
    ) -> Json | None:
        environment = {
            "PATH": SEARCH_PATH,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": attachment.container_id,
            "CNI_NETNS": attachment.netns,
            "CNI_IFNAME": attachment.ifname,
            "CNI_ARGS": attachment.args,
            "CNI_PATH": os.fspath(self.cni_bin),
        }
        config = _config_of(network, plugin, attachment, previous)
        done = subprocess.run(
            [*self.within, os.fspath(self.cni_bin / plugin["type"])],
            env=environment,
            input=json.dumps(config).encode(),
            capture_output=True,
            timeout=CALL_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            raise PluginError(plugin["type"], command, _error_object(done))
        return cast(Json, json.loads(done.stdout)) if command == "ADD" else None


def _config_of(network: Json, plugin: Json, attachment: Attachment, previous: Json | None) -> Json:
    """The plugin's part of the list, made whole: libcni injects name, version, result and capabilities."""
    config = {**plugin, "name": network["name"], "cniVersion": network["cniVersion"]}
    enabled = (name for name, wanted in plugin.get("capabilities", {}).items() if wanted)
    offered = {name: attachment.capabilities[name] for name in enabled if name in attachment.capabilities}
    if offered:
        config["runtimeConfig"] = offered
    if previous is not None:
        config["prevResult"] = previous
    return config


def _error_object(done: subprocess.CompletedProcess[bytes]) -> Json:
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return answer
    return {"code": 999, "msg": f"no error object from the plugin: {done.stdout!r} {done.stderr!r}"}


def _at_least_0_4_0(network: Json) -> bool:
    return tuple(int(part) for part in network["cniVersion"].split(".")) >= (0, 4, 0)
