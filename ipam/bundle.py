"""The one-shot plugin as one precompiled file: starting it must cost little more than starting Python.

A bundle is the marshalled code of every module that a request needs, in the order in which they must run.
The script in the CNI bin directory loads it without the import system's searches: a third of the start-up
time of a program this small. Modules that few requests need are in it too, unread until somebody imports
them: an upgrade of the package must not mix its modules with those of the installed plugin.

The file begins with `ipam.start`, and says behind it where in the file the rest is.
"""

from __future__ import annotations

import ast
import marshal
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parent.parent
"""Where the packages `ipam` and `backends` lie."""

LONGEST_SHEBANG = 127
_HEAD = 8192
"""Bytes at the file's beginning that the script reads: `ipam.start` and the table of what follows."""

_EXTENSIONS = ("_json",)
_ENTRY_MODULES = ("ipam.plugin", "backends.directory")
_OF_DIRECTORY = ("absent", "full", "readiness", "reading", "recovery", "retention", "seal", "waiting")
_OF_SQLITE = (
    "chains",
    "creation",
    "database",
    "file",
    "generated",
    "intervals",
    "keys",
    "rows",
    "sqlite",
    "store",
    "transaction",
)
_OF_SERVERS = ("bounded", "remote", "schema", "server", "statements", "trouble")
_DEFERRED = (
    "ipam.attachments",
    "ipam.keeping",
    "ipam.log",
    "ipam.ranges",
    "ipam.routes",
    *[f"backends.directory.{name}" for name in _OF_DIRECTORY],
    "backends.sql",
    *[f"backends.sql.{name}" for name in (*_OF_SQLITE, *_OF_SERVERS)],
)

_SCRIPT = """\
#!{interpreter} -IS
# Written by `ipam install`: the one-shot IPAM plugin, version {version}. `ipam uninstall` removes it.
import marshal, posix
bundle = posix.open({bundle!r}, posix.O_RDONLY | posix.O_CLOEXEC)
code, arguments = marshal.loads(posix.read(bundle, {head}))
exec(code)
start(bundle, *arguments)
"""


def interpreter() -> str:
    """The interpreter itself, not a virtual environment's link to it: the plugin needs nothing installed there."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def build() -> bytes:
    """The bundle for this interpreter: what `ipam.start` reads, itself first."""
    loaded = []
    for name in _modules():
        source, directory = _source(name)
        loaded.append((name, directory, _compile(source)))
    body = marshal.dumps(loaded)
    parts, end = {}, _HEAD + len(body)
    for name in _DEFERRED:
        source, directory = _source(name)
        code = marshal.dumps(_compile(source))
        parts[name] = (end, len(code), directory)
        body += code
        end += len(code)
    extensions = {name: path for name in _EXTENSIONS if (path := _shared_object(name))}
    # What is in no bundle: drivers of databases, and the stores of others.
    paths = list(dict.fromkeys([str(ROOT), *[sysconfig.get_path(name) for name in ("purelib", "platlib")]]))
    start = (paths, extensions, (_HEAD, len(marshal.dumps(loaded))), parts)
    head = marshal.dumps((_compile(Path(__file__).with_name("start.py")), start))
    if len(head) > _HEAD:
        raise ValueError(f"a bundle's head takes {len(head)} bytes, more than {_HEAD}")
    return head.ljust(_HEAD, b"\0") + body


def _source(name: str) -> tuple[Path, str]:
    """The file of a module, and the directory that it is where it is a package."""
    file = ROOT / name.replace(".", "/")
    return (file / "__init__.py", str(file)) if file.is_dir() else (file.with_suffix(".py"), "")


class _Lean(ast.NodeTransformer):
    """Takes out of a module what costs time at every start and serves other readers: annotations, abstract classes."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Without annotations, and not abstract."""
        self.generic_visit(node)
        node.decorator_list = [
            decorator
            for decorator in node.decorator_list
            if not (isinstance(decorator, ast.Name) and decorator.id == "abstractmethod")
        ]
        node.returns = None
        every = node.args
        for argument in (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg):
            if argument is not None:
                argument.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Without ABC, whose classes take ten times as long to make: here all methods are there."""
        self.generic_visit(node)
        node.bases = [base for base in node.bases if not (isinstance(base, ast.Name) and base.id == "ABC")]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """`name: T = value` without its T."""
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """Without what is for type checkers only."""
        self.generic_visit(node)
        return None if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Without what nothing needs any more."""
        return None if node.module in ("__future__", "abc") else node


def _compile(source: Path) -> CodeType:
    """The module's code, without docstrings, annotations and line numbers."""
    tree = ast.fix_missing_locations(_Lean().visit(ast.parse(source.read_bytes())))
    code: CodeType = compile(tree, str(source), "exec", dont_inherit=True, optimize=2)
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
    text = _SCRIPT.format(interpreter=interpreter(), bundle=str(bundle), version=version, head=_HEAD)
    if len(text.partition("\n")[0]) > LONGEST_SHEBANG or " " in interpreter():
        raise ValueError(f"the interpreter's path cannot stand in a script's first line: {interpreter()}")
    return text
