"""handle(Request) -> Reply: ADD, DEL, CHECK, GC, STATUS and VERSION, whatever door the request came through."""

from __future__ import annotations

import posix

from ipam import __version__, allocator, cni, config
from ipam.errors import BadEnvironment, CniError, InputOutput, NotReady, StoreUnavailable, TryAgain
from ipam.model import Attachment, Cause
from ipam.request import Reply, Request, Work
from ipam.store import Busy, Trait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ipam.config import Config
    from ipam.model import Host, Lease
    from ipam.registry import Stores
    from ipam.store import Store, Transaction


def handle(request: Request, host: Host, stores: Stores) -> Reply:
    """Answer one request. Never raises: what goes wrong is the Reply's error object."""
    work = prepare(request, host, stores)
    return work if isinstance(work, Reply) else perform(work)


def prepare(
    request: Request, host: Host, stores: Stores, read: Callable[[bytes], Config] = config.Config
) -> Work | Reply:
    """Understand a request: the work that it means, or the answer where no lease is looked at.

    `read` makes a Config of what came in on stdin.
    """
    command = request.env.get("CNI_COMMAND", "")
    version, record = "", None
    try:
        if not command:
            return Reply(0, stderr=about())
        cni.check_environment(command, request.env)
        if command == "VERSION":
            return Reply(0, cni.version_json(_version_asked(request.stdin)))
        conf = read(request.stdin)
        version = conf.version
        conf.name()
        if command in ("ADD", "CHECK", "DEL"):
            cni.check_attachment(request.env["CNI_CONTAINERID"], request.env["CNI_IFNAME"])
        record = _recorder(request, conf, host)
        cni.check_version(command, version)
        work: Work | Reply = _COMMANDS[command](request, conf, host, stores)
    except CniError as error:
        work = Reply(1, cni.error_json(version or _version_asked(request.stdin), error))
    except OSError as error:
        failed = InputOutput(f"cannot begin: {error.strerror} ({error.filename or 'a part of the plugin'})")
        work = Reply(1, cni.error_json(version, failed))
    except Exception as error:  # the caller must get an error object whatever happens
        work = _bug(version or cni.NEWEST, error)
    if isinstance(work, Reply):
        return recorded(work, record)
    work.version, work.record = version, record
    return work


def _recorder(request: Request, conf: Config, host: Host) -> Callable[[Reply], None] | None:
    """What writes the call into the log that the config asks for."""
    level = conf.log_level(strict=request.env["CNI_COMMAND"] in ("ADD", "CHECK"))
    if level == "none":
        return None
    from ipam import log

    return log.recorder(level, request, conf.name(), host)


def recorded(reply: Reply, record: Callable[[Reply], None] | None) -> Reply:
    """The reply, with the line for the log that its call asked for."""
    if record is not None:
        record(reply)
    return reply


def perform(work: Work) -> Reply:
    """Do the work, and answer."""
    return answer(work, lambda: work.store.transact(work.network, work.change))


def answer(work: Work, outcome: Callable[[], Any]) -> Reply:
    """The reply to what `outcome` returns or raises: what the work's change did. Raises Busy alone."""
    try:
        reply = work.finish(outcome())
    except CniError as error:
        reply = Reply(1, cni.error_json(work.version, error))
    except Busy:
        raise
    except Exception as error:  # the caller must get an error object whatever happens
        reply = _bug(work.version, error)
    return recorded(reply, work.record)


def about() -> str:
    """What the plugin says of itself when it is called without CNI_COMMAND."""
    versions = ", ".join(cni.VERSIONS)
    return f"CNI IPAM plugin host-local (ipam) v{__version__}\nCNI protocol versions supported: {versions}\n"


def _version_asked(stdin: bytes) -> str:
    """For VERSION and errors, which must work with anything on stdin: what names no version gets the newest."""
    if not stdin:
        return cni.NEWEST
    try:
        conf = config.decode(stdin)
        return config.version_of(conf) if "cniversion" in conf else cni.NEWEST
    except CniError:
        return cni.NEWEST


def _add(request: Request, conf: Config, host: Host, stores: Stores) -> Work:
    who = _attachment(request)
    args_ip, pod = cni.parse_args(request.env.get("CNI_ARGS", ""))
    _refuse_own_netns(request)
    network = conf.network(args_ip)
    store_config = conf.store()
    dns: dict[str, object] = {}
    if network.resolv_conf:
        from ipam.routes import read_dns

        dns = read_dns(network.resolv_conf)
    store, host = stores.get(store_config), host.named(store_config.node)

    def change(tx: Transaction) -> list[Lease]:
        allocator.reclaim_after_reboot(tx, host, shared=_is_shared(store))
        return allocator.allocate(tx, network, who, pod, host, cni.traceparent(request.env))

    def finish(leases: list[Lease]) -> Reply:
        def take_back(tx: Transaction) -> None:
            allocator.take_back(tx, leases, Cause.UNDELIVERED)

        undo = Work(store, network.name, take_back)
        return Reply(0, cni.result_json(conf.version, leases, network, dns), undo=undo)

    return Work(store, network.name, change, finish)


def _delete(request: Request, conf: Config, host: Host, stores: Stores) -> Work:
    who = _attachment(request)
    cni.parse_args(request.env.get("CNI_ARGS", ""))
    store_config = conf.store(strict=False)
    store, host = stores.get(store_config), host.named(store_config.node)

    def change(tx: Transaction) -> None:
        if store_config.node is not None:
            allocator.reclaim_after_reboot(tx, host, shared=_is_shared(store))
        allocator.release(tx, who, Cause.DEL, cni.traceparent(request.env))

    return Work(store, conf.name(), change)


def _check(request: Request, conf: Config, _host: Host, stores: Stores) -> Work:
    from ipam import attachments

    who = _attachment(request)
    args_ip, _pod = cni.parse_args(request.env.get("CNI_ARGS", ""))
    network = conf.network(args_ip)
    previous = attachments.previous_addresses(conf.object)
    store = stores.get(conf.store())
    return Work(store, network.name, lambda tx: allocator.check(tx, network, who, previous))


def _collect(_request: Request, conf: Config, host: Host, stores: Stores) -> Work | Reply:
    from ipam import attachments

    valid = attachments.valid_attachments(conf.object)
    store_config = conf.store(strict=False)
    if store_config.node is None:
        conf.store()  # which says what is wrong with its name
    store, host = stores.get(store_config), host.named(store_config.node)
    if valid is None:
        return Reply(0)

    def change(tx: Transaction) -> None:
        allocator.reclaim_after_reboot(tx, host, shared=_is_shared(store))
        allocator.reclaim(tx, valid, host, shared=_is_shared(store))

    return Work(store, conf.name(), change)


def _status(_request: Request, conf: Config, _host: Host, stores: Stores) -> Reply:
    conf.network(None)
    store_config = conf.store()
    try:
        stores.get(store_config).check()
    except (StoreUnavailable, TryAgain) as error:
        raise NotReady(error.msg, error.details) from None
    return Reply(0)


_COMMANDS = {"ADD": _add, "DEL": _delete, "CHECK": _check, "GC": _collect, "STATUS": _status}


def _is_shared(store: Store) -> bool:
    return Trait.MULTI_HOST in store.traits


def _attachment(request: Request) -> Attachment:
    return Attachment(request.env["CNI_CONTAINERID"], request.env["CNI_IFNAME"])


def _refuse_own_netns(request: Request) -> None:
    """Refuse, before anything is leased, to attach the namespace that the caller itself runs in."""
    if cni.netns_override(request.env):
        return
    netns = request.env["CNI_NETNS"]
    if _is_own_netns(netns) if request.own_netns is None else request.own_netns:
        raise BadEnvironment(
            "plugin's netns and netns from CNI_NETNS should not be the same",
            f"CNI_NETNS={netns}; CNI_NETNS_OVERRIDE=1 allows it",
        )


def _is_own_netns(netns: str) -> bool:
    try:
        theirs, ours = posix.stat(netns), posix.stat("/proc/self/ns/net")
    except (OSError, ValueError):
        return False  # a namespace that is not there (yet) is the main plugin's business
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _bug(version: str, error: Exception) -> Reply:
    text = f"internal error: {type(error).__name__}: {error}".replace("\n", " ")
    advice = "please report it with what the plugin wrote to stderr"
    return Reply(1, cni.error_json(version, CniError(text, advice)), stderr=_traceback(error))


def _traceback(error: Exception) -> str:
    """What the traceback module would print, which cannot do without the line numbers that the one-shot has not."""
    lines = ["Traceback (most recent call last):"]
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        lines.append(f"  {code.co_filename}, line {step.tb_lineno or 'unknown'}, in {code.co_qualname}")
        step = step.tb_next
    return "\n".join([*lines, f"{type(error).__name__}: {error}", ""])
