"""The options that say where leases are to be looked for, and what they lead to."""

from __future__ import annotations

from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path

import click
from click.core import ParameterSource

from ipam.cli import Denial
from ipam.cli.output import note, waiting
from ipam.errors import CniError, InvalidConfig
from ipam.inspection import configs
from ipam.inspection.mistakes import Mistake
from ipam.inspection.sites import Site, Sites
from ipam.plugin import this_host
from ipam.store import Trait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    from ipam.inspection.configs import Configured
    from ipam.model import Host, Lease

    T = TypeVar("T")


class Scope:
    """What the options chose: where configs lie, and which stores, none for all that are found."""

    def __init__(self, conf_dir: Path, urls: Iterable[str] = ()) -> None:
        self.conf_dir = conf_dir
        self.urls = list(map(store_url, urls))
        self.host: Host = this_host()
        self.problems: list[str] = []

    @contextmanager
    def sites(self, name: str | None = None) -> Iterator[list[Site]]:
        """The networks of that name, all where None; what could not be read is told on stderr."""
        configured, problems = configs.read_directory(self.conf_dir)
        sites = Sites(configured, self.urls, self.host)
        try:
            self.problems = problems + sites.problems
            for problem in self.problems:
                note(f"not looked at: {problem}")
            yield sites.named(name)
        finally:
            sites.close()

    def readable(self, found: Iterable[Site], look: Callable[[Site], Iterable[T]]) -> Iterator[T]:
        """What `look` finds at each network; stderr tells of one that cannot be read, and the others come too."""
        for site in found:
            try:
                yield from look(site)
            except CniError as error:
                self.problems.append(f"network {site.name} in {site.url}: {configs.in_words(error)}")
                note(f"not looked at: {self.problems[-1]}")

    @property
    def status(self) -> int:
        """The exit status of a command that has nothing else to complain about: 1 where something was not read."""
        return 1 if self.problems else 0


def leases_of(site: Site) -> list[Lease]:
    """The leases of a network at one moment."""
    with waiting(f"reading the leases of {site.name}"):
        return list(site.store.leases(site.name))


def whole(site: Site) -> Iterator[Site]:
    """The network itself. Raises CniError where its leases cannot be read."""
    for _ in site.store.leases(site.name):
        break
    yield site


def require_history(found: list[Site]) -> None:
    """Return where every store tells what was. Raises InvalidConfig for one that does not."""
    for site in found:
        if Trait.HISTORY not in site.store.traits:
            raise InvalidConfig(
                f"the store of network {site.name} keeps no history", f"{site.url}: its traits do not have it"
            )


def store_url(value: str) -> str:
    """A store's URL, where a path is that of a directory store. Raises Mistake for what is neither."""
    if ":" not in value and not value.startswith("/"):
        raise Mistake(f"{value!r} is no store: say a directory's whole path, or a URL such as sqlite:////path/file")
    return f"file://{value}" if value.startswith("/") else value


def uses_in(path: Path) -> list[Configured]:
    """How a config file uses the plugin. Raises Denial where it is no config, ValueError where it does not."""
    try:
        uses = configs.read_file(path)
    except CniError as error:
        raise Denial(f"{click.get_current_context().command_path}: {path}: {error}") from None
    if not uses:
        raise ValueError(f"{path}: no plugin in it has an ipam section of type host-local")
    return uses


def names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of networks that begin like this, for the shell to complete; none where they cannot be looked up."""
    where = Scope(ctx.params.get("conf_dir") or configs.DEFAULT_DIR, ctx.params.get("store") or ())
    try:
        with redirect_stderr(StringIO()), where.sites() as found:
            return [site.name for site in found if site.name.startswith(incomplete)]
    except (CniError, OSError, ValueError):
        return []


network_argument = click.argument("network", required=False, shell_complete=names)


def network_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--network`, for one of the networks of the place that was named; the command gets `network`."""
    return click.option("--network", metavar="NAME", shell_complete=names, help=text)


def existing(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Where directories were named, they have to be there; the usual ones may be missing."""
    named = ctx.get_parameter_source(param.name or "") is not ParameterSource.DEFAULT
    if named and not ctx.resilient_parsing:
        for each in value if isinstance(value, tuple) else (value,):
            if not Path(each).is_dir():
                raise ValueError(f"{param.opts[0]} {each}: there is no such directory")
    return value


def conf_dir_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--conf-dir`; the command gets `conf_dir`."""
    return click.option(
        "--conf-dir",
        type=click.Path(path_type=Path),
        default=configs.DEFAULT_DIR,
        metavar="DIR",
        show_default=True,
        callback=existing,
        help=text,
    )


store_option = click.option("--store", metavar="URL", help="Leases are in this store, whatever the config says.")


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--store` and `--conf-dir`; the command gets `scope`."""

    def with_scope(*arguments: Any, conf_dir: Path, store: tuple[str, ...], **others: Any) -> Any:
        return function(*arguments, scope=Scope(conf_dir, store), **others)

    with_scope.__doc__ = function.__doc__
    with_scope.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        conf_dir_option("Where CNI configs lie: they tell which networks there are, their ranges and stores."),
        click.option(
            "--store",
            metavar="URL",
            multiple=True,
            help="Look into this store alone, such as file:///var/lib/cni/networks; may be repeated.  "
            "[default: those of the configs, and /var/lib/cni/networks]",
        ),
    ):
        with_scope = option(with_scope)
    return with_scope
