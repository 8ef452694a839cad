"""The house's rules that a reader relies on: who may import whom, how long a file is, what its first line is."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(path for package in ("ipam", "backends") for path in (ROOT / package).rglob("*.py"))
ALL = [*PRODUCT, *sorted((ROOT / "tests").rglob("*.py"))]
LONGEST = 300
FOR_BACKENDS = {"address", "chain", "errors", "jsontext", "model", "store", "verdict", "walk"}


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in PRODUCT}


def only_for_types(node: ast.AST) -> bool:
    """Whether this is an `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(node: ast.AST, *, types: bool) -> Iterator[str]:
    """The modules that a piece of code imports, wherever in it; `types`: those for the type checker too."""
    for child in ast.iter_child_nodes(node):
        if only_for_types(child) and not types:
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            module = child.module or ""
            for alias in child.names:
                yield f"{module}.{alias.name}" if f"{module}.{alias.name}" in NAMES else module
        else:
            yield from imported(child, types=types)


def imports(path: Path, *, types: bool = True) -> set[str]:
    """What a file imports."""
    return set(imported(ast.parse(path.read_text()), types=types))


def package_of(module: str) -> str:
    """The top of a dotted name."""
    return module.partition(".")[0]


def test_there_are_modules_to_look_at() -> None:
    assert {"ipam.model", "ipam.store", "backends.memory", "backends.directory.store"} <= NAMES


@pytest.mark.parametrize("path", [path for path in PRODUCT if name_of(path).startswith("backends")], ids=name_of)
def test_a_backend_knows_the_contract_alone(path: Path) -> None:
    of_ipam = {module for module in imports(path) if package_of(module) == "ipam"}
    assert of_ipam <= {f"ipam.{name}" for name in FOR_BACKENDS}


@pytest.mark.parametrize("path", [path for path in PRODUCT if name_of(path).startswith("ipam")], ids=name_of)
def test_ipam_knows_backends_by_name_only(path: Path) -> None:
    assert not {module for module in imports(path) if package_of(module) == "backends"}


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_the_product_never_imports_the_tests(path: Path) -> None:
    assert not {module for module in imports(path) if package_of(module) == "tests"}


@pytest.mark.parametrize("path", [path for path in PRODUCT if path.parent == ROOT / "ipam"], ids=name_of)
def test_the_middle_knows_nothing_of_what_is_built_on_it(path: Path) -> None:
    built_on_it = {name_of(package) for package in (ROOT / "ipam").glob("*/__init__.py")}
    assert not {module for module in imports(path) if ".".join(module.split(".")[:2]) in built_on_it}


@pytest.mark.parametrize("name", ["model", "errors"])
def test_the_values_and_the_errors_stand_on_nothing(name: str) -> None:
    assert not {
        module for module in imports(ROOT / "ipam" / f"{name}.py") if package_of(module) in ("ipam", "backends")
    }


@pytest.mark.parametrize("name", ["allocator", "store", "ranges", "address"])
def test_decisions_touch_neither_files_nor_clocks(name: str) -> None:
    outside = {"asyncio", "io", "os", "pathlib", "posix", "select", "socket", "subprocess", "sys", "threading", "time"}
    assert not imports(ROOT / "ipam" / f"{name}.py") & outside


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name_of(path): imports(path, types=False) & NAMES for path in PRODUCT}
    for name, others in graph.items():
        others.discard(name)
        # A package's own __init__ is imported with each of its modules, and imports some of them.
        others.discard(name.rpartition(".")[0])
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_a_module_says_in_one_line_what_it_is(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text
    assert text.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert path.stem not in {"base", "common", "helpers", "misc", "shared", "util", "utils"}
