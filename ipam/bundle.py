"""The one-shot plugin as one precompiled file: starting it must cost little more than starting Python.

A bundle is the marshalled code of every module that a request needs, in the order in which they must run.
The script in the CNI bin directory loads it without the import system's searches: a third of the start-up
time of a program this small. Modules that few requests need are in it too, unread until somebody imports
them: an upgrade of the package must not mix its modules with those of the installed plugin.
"""

from __future__ import annotations

import ast
import marshal
import subprocess
import sys
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parent.parent
"""Where the packages `ipam` and `backends` lie."""

LONGEST_SHEBANG = 127
_EXTENSIONS = ("_json",)
_ENTRY_MODULES = ("ipam.plugin", "backends.directory")
_DEFERRED = tuple(f"backends.directory.{name}" for name in ("absent", "recovery", "reading", "retention", "waiting"))

_SCRIPT = """\
#!{interpreter} -IS
# Written by `ipam install`: the one-shot IPAM plugin, version {version}. `ipam uninstall` removes it.
import _imp, gc, marshal, posix, sys
gc.disable()
fd = posix.open({bundle!r}, posix.O_RDONLY | posix.O_CLOEXEC)
loaded, deferred = marshal.loads(posix.read(fd, posix.fstat(fd).st_size))
posix.close(fd)
sys.path.append({root!r})
from _frozen_importlib import ModuleSpec
for name, path in {extensions!r}.items():  # without a search along sys.path
    spec = ModuleSpec(name, None, origin=path)
    sys.modules[name] = _imp.create_dynamic(spec)
    _imp.exec_dynamic(sys.modules[name])
for name, path, code in loaded:
    module = sys.modules[name] = type(sys)(name)
    if path:
        module.__path__ = [path]
for name, path, code in loaded:
    module = sys.modules[name]
    exec(code, module.__dict__)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
class Deferred:
    def find_spec(name, path=None, target=None):
        if name in deferred:
            return ModuleSpec(name, Deferred)
    def create_module(spec):
        return None
    def exec_module(module):
        exec(marshal.loads(deferred[module.__name__]), module.__dict__)
sys.meta_path.insert(0, Deferred)
sys.modules["ipam.plugin"].main()
"""


def interpreter() -> str:
    """The interpreter itself, not a virtual environment's link to it: the plugin needs nothing installed there."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def build() -> bytes:
    """The bundle for this interpreter, marshalled.

    A pair: [(module name, package directory or "", code)] of what is run at once, and {module name: marshalled
    code} of what is imported when it is needed.
    """
    loaded = []
    for name in _modules():
        file = ROOT / name.replace(".", "/")
        directory = str(file) if file.is_dir() else ""
        source = file / "__init__.py" if directory else file.with_suffix(".py")
        loaded.append((name, directory, _compile(source)))
    deferred = {name: marshal.dumps(_compile((ROOT / name.replace(".", "/")).with_suffix(".py"))) for name in _DEFERRED}
    return marshal.dumps((loaded, deferred))


def _compile(source: Path) -> CodeType:
    """The module's code without what costs time at every start: docstrings, the import of __future__, line numbers."""
    tree = ast.parse(source.read_bytes())
    tree.body = [
        statement
        for statement in tree.body
        if not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")
    ]
    flags = annotations.compiler_flag
    code: CodeType = compile(tree, str(source), "exec", flags=flags, dont_inherit=True, optimize=2)
    return _without_lines(code)


def _without_lines(code: CodeType) -> CodeType:
    """A quarter of the bundle is line tables; a traceback still names file and function."""
    constants = [_without_lines(item) if isinstance(item, CodeType) else item for item in code.co_consts]
    return code.replace(co_linetable=b"", co_consts=tuple(constants))


def _modules() -> list[str]:
    """Our modules that a request imports, each behind those it needs: sys.modules is in order of completion."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {', '.join(_ENTRY_MODULES)}; "
        "print(*[name for name in sys.modules if name.partition('.')[0] in ('ipam', 'backends')])"
    )
    done = subprocess.run([interpreter(), "-I", "-S", "-B", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


def _shared_object(name: str) -> str:
    """Where the interpreter finds an extension module; empty where it is built in."""
    code = f"import {name}; print(getattr({name}, '__file__', ''))"
    done = subprocess.run([interpreter(), "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def script(bundle: Path, version: str) -> str:
    """The text of the executable that runs `bundle`. Raises ValueError where its first line would be too long."""
    extensions = {name: path for name in _EXTENSIONS if (path := _shared_object(name))}
    text = _SCRIPT.format(
        interpreter=interpreter(), bundle=str(bundle), root=str(ROOT), version=version, extensions=extensions
    )
    if len(text.partition("\n")[0]) > LONGEST_SHEBANG or " " in interpreter():
        raise ValueError(f"the interpreter's path cannot stand in a script's first line: {interpreter()}")
    return text
