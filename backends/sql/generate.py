"""Make generated.py from the tables and statements: `python -m backends.sql.generate`, then format it."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from sqlalchemy import Executable
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from backends.sql.schema import METADATA, version
from backends.sql.statements import STATEMENTS

TARGET = Path(__file__).with_name("generated.py")

_HEAD = '''"""SQLite's text of the tables and statements. Made by backends/sql/generate.py: change those instead."""

from __future__ import annotations

'''


def tables() -> tuple[str, ...]:
    """What makes the tables and indexes, in their order."""
    made: list[Executable] = [CreateTable(version)]
    for table in METADATA.sorted_tables:
        made.append(CreateTable(table))
        made += [CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name))]
    return tuple(_text(statement) for statement in made)


def statements() -> dict[str, str]:
    """The text of every statement, with named parameters."""
    return {name: _text(statement) for name, statement in STATEMENTS.items()}


def _text(statement: Executable) -> str:
    compiled = statement.compile(dialect=dialect(paramstyle="named"))  # type: ignore[attr-defined]
    text = " ".join(str(compiled).split())
    for name, value in (compiled.params or {}).items():  # those of limit()
        text = text if value is None else text.replace(f":{name}", str(value))
    return text


def source() -> str:
    """The module's text."""
    lines = ["TABLES = ("]
    for text in tables():
        lines += [*_literal(text), ","]
    lines += [")", "", "STATEMENTS = {"]
    for name, text in statements().items():
        lines += [f'"{name}":', *_literal(text), ","]
    return _HEAD + "\n".join([*lines, "}", ""])


def _literal(text: str) -> list[str]:
    parts = wrap(text, 100, drop_whitespace=False, break_long_words=False, break_on_hyphens=False)
    return ["(", *[repr(part) for part in parts], ")"]


if __name__ == "__main__":
    TARGET.write_text(source())
