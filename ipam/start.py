"""What the one-shot plugin runs first: it makes modules of the code in its bundle. See `ipam.bundle`."""

from __future__ import annotations

import gc
import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec  # importlib would have to be searched for
from _imp import create_dynamic, exec_dynamic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

    Part = tuple[int, int]


class Deferred:
    """Imports a module from the bundle when it is asked for."""

    def __init__(self, bundle: int, parts: dict[str, tuple[int, int, str]]) -> None:
        """`parts` are offset and length in the file `bundle`, and a package's directory, by the module's name."""
        self._bundle = bundle
        self._parts = parts

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        """See importlib.abc.MetaPathFinder."""
        if name not in self._parts:
            return None
        spec = ModuleSpec(name, self)  # type: ignore[arg-type]  # it is a loader, duck-typed
        directory = self._parts[name][2]
        spec.submodule_search_locations = [directory] if directory else None
        return spec

    def create_module(self, _spec: Any) -> None:
        """See importlib.abc.Loader: an ordinary module will do."""

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        exec(read(self._bundle, self._parts[module.__name__][:2]), module.__dict__)


def read(bundle: int, part: Part) -> Any:
    """What was marshalled into that part of the file."""
    offset, length = part
    return marshal.loads(posix.pread(bundle, length, offset))


def start(
    bundle: int,
    paths: list[str],
    extensions: dict[str, str],
    loaded: Part,
    deferred: dict[str, tuple[int, int, str]],
) -> None:
    """Make the modules of a bundle, and answer the request; the process ends there.

    `paths` are where modules lie that are in no bundle, `extensions` says where those lie that are no Python.
    """
    gc.disable()
    sys.path.extend(paths)
    for name, path in extensions.items():  # without a search along sys.path
        extension = sys.modules[name] = create_dynamic(ModuleSpec(name, None, origin=path))
        exec_dynamic(extension)
    modules: list[tuple[str, str, CodeType]] = read(bundle, loaded)
    for name, directory, _ in modules:
        module = sys.modules[name] = type(sys)(name)
        module.__spec__ = ModuleSpec(name, None)  # each import of a module without one raises an AttributeError inside
        if directory:
            module.__path__ = [directory]
    for name, _, code in modules:
        module = sys.modules[name]
        exec(code, module.__dict__)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    sys.meta_path.insert(0, Deferred(bundle, deferred))
    sys.modules["ipam.plugin"].main()
