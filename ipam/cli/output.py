"""What every listing command prints: a table for people, JSON and CSV for programs; nothing in it can act."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from itertools import islice
from threading import Event, Thread

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TextIO, TypeVar

    from rich.console import Console

    Row = dict[str, Any]
    T = TypeVar("T")

INTERRUPTED = 130
"""The exit status of a program that SIGINT ended, as shells report it."""

FORMATS = ("table", "json", "csv")

MOST_STYLED = 500
"""Rows that are laid out by rich on a terminal; it takes a second for some thousands, so more are plain text."""

_LEAST_FOLDED = 40
"""Characters: however narrow the terminal, the last column is not folded into less."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_AT_ONCE = 1000  # rows
_BEFORE_PROGRESS = 1.0  # seconds
_BETWEEN_PROGRESS = 0.2

option = click.option(
    "-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print the answer."
)


class Column:
    """One column: the key in a row, and what a table shows of its value.

    `style` gives the rich style of a value, on terminals; `narrow` a shorter text for them. CSV has the same text, or,
    where `plain`, the number that JSON has.
    """

    def __init__(
        self,
        key: str,
        text: Callable[[Any], str] = str,
        *,
        title: str | None = None,
        right: bool = False,
        style: Callable[[Any], str] | None = None,
        narrow: Callable[[str], str] | None = None,
        plain: bool = False,
    ) -> None:
        self.key = key
        self.title = key.replace("_", " ").upper() if title is None else title
        self.text = text
        self.right = right
        self.style = style
        self.narrow = narrow
        self.plain = plain

    def cells(self, rows: Iterable[Row], *, narrow: bool = False) -> list[str]:
        """The values as a table shows them; `-` where there is none."""
        key, text = self.key, self.text
        texts = ["-" if row[key] is None or row[key] == "" else text(row[key]) for row in rows]
        shown = texts if "".join(texts).isprintable() else [visible(each) for each in texts]
        return [self.narrow(each) for each in shown] if narrow and self.narrow else shown


def visible(text: str) -> str:
    """`text` with everything escaped that is no printable character.

    That is control characters of both kinds, bidirectional and zero-width ones, line separators, lone surrogates:
    no name that comes from elsewhere can move the cursor, recolour the terminal, or look like another.
    """
    if text.isprintable():
        return text
    return "".join([character if character.isprintable() else ascii(character)[1:-1] for character in text])


def harmless(value: object) -> object:
    """A value for a CSV cell: text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) or value.startswith(_FORMULA) else text


def emit(rows: Iterable[Row], columns: Sequence[Column], output: str, more: Sequence[Column] = ()) -> None:
    """Print rows: as a table of `columns`, as CSV with those and `more`, or as one JSON array with every key.

    JSON has one row a line and is pure ASCII; times in it are seconds since the epoch.
    """
    if output == "json":
        write_json(rows)
    elif output == "csv":
        write_csv(rows, (*columns, *more))
    else:
        listed = list(rows)
        seen = is_terminal(sys.stdout)
        if seen and len(listed) <= MOST_STYLED:
            _write_styled(listed, columns)
        else:
            sys.stdout.writelines(f"{line}\n" for line in aligned(listed, columns, narrow=seen))


def write_json(rows: Iterable[Row]) -> None:
    """One JSON array, one row a line."""
    encode = json.JSONEncoder(separators=(", ", ": ")).encode
    between = "[\n"
    for row in rows:
        sys.stdout.write(f"{between}{encode(row)}")
        between = ",\n"
    sys.stdout.write("[]\n" if between == "[\n" else "\n]\n")


def write_object(value: Row) -> None:
    """One JSON object, indented."""
    print(json.dumps(value, indent=2))


def write_csv(rows: Iterable[Row], columns: Sequence[Column], *, titles: bool = True) -> None:
    """The rows as CSV, with a line of keys before them where `titles`."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    keys = [column.key for column in columns]
    if titles:
        writer.writerow(keys)
    left = iter(rows)
    while portion := list(islice(left, _AT_ONCE)):
        writer.writerows(zip(*[_csv_cells(portion, column) for column in columns], strict=True))


def _csv_cells(rows: Sequence[Row], column: Column) -> Sequence[object]:
    """The values of a column, harmless; whether they are so already is seen of all at once."""
    cells: list[object] = [row[column.key] for row in rows]
    if not column.plain:
        cells = [value if value is None or isinstance(value, int) else column.text(value) for value in cells]
    texts = [each for each in cells if isinstance(each, str)]
    if "".join(texts).isprintable() and {text[:1] for text in texts}.isdisjoint(_FORMULA):
        return cells
    return [harmless(each) for each in cells]


def aligned(
    rows: Sequence[Row], columns: Sequence[Column], *, narrow: bool = False, widths: list[int] | None = None
) -> Iterator[str]:
    """The lines of a table as plain text, whatever its size: columns two spaces apart, a line of titles first.

    `widths` are those of the parts of the table that were printed before; they become those of this part.
    """
    table = [[column.title, *column.cells(rows, narrow=narrow)] for column in columns]
    before = widths or [0] * len(columns)
    needed = [max(least, *map(len, cells)) for least, cells in zip(before, table, strict=True)]
    if widths is not None:
        widths[:] = needed
    sides = [">" if column.right else "<" for column in columns]
    line = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, needed, strict=True)).format
    for cells in zip(*table, strict=True):
        yield line(*cells).rstrip()


def _write_styled(rows: list[Row], columns: Sequence[Column]) -> None:
    """As rich does it; but only the last column is folded, for a table of fragments is legible to nobody."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    cells, widths = [], []
    for column in columns:
        texts = column.cells(rows, narrow=True)
        styles = [column.style(row[column.key]) if column.style else "" for row in rows]
        cells.append([Text(text, style=style) for text, style in zip(texts, styles, strict=True)])
        widths.append(max(map(len, (column.title, *texts))))
    seen = console().width
    others = sum(widths[:-1]) + 2 * len(widths)
    widths[-1] = min(widths[-1], max(_LEAST_FOLDED, seen - others))
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column.title, justify="right" if column.right else "left", width=width, overflow="fold")
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    console(width=max(seen, others + widths[-1])).print(table)


def console(**options: Any) -> Console:
    """Rich's console; a reader that goes away is for others to deal with, as for all that is printed."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(highlight=False, **options)


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody sees it: colours, bars and progress are for terminals alone."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def end_at_once() -> None:
    """From now on Ctrl-C ends the process on the spot: for who looks again and again, and has nothing in hand."""
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """On a terminal, if it takes longer than a second, a line on stderr tells what goes on, and for how long by now."""
    if not is_terminal(sys.stderr):
        yield
        return
    over, began = Event(), time.monotonic()

    def tell() -> None:
        if over.wait(_BEFORE_PROGRESS):
            return
        while not over.wait(_BETWEEN_PROGRESS):
            seconds = time.monotonic() - began
            print(f"\r\x1b[K{what}: {seconds:.0f} s", end="", file=sys.stderr, flush=True)
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def counted(items: Iterable[T], what: str) -> Iterator[T]:
    """The items as they are; on a terminal, after a second, a line on stderr tells how many there were so far."""
    if not is_terminal(sys.stderr):
        yield from items
        return
    shown, due = False, time.monotonic() + _BEFORE_PROGRESS
    try:
        for number, item in enumerate(items, 1):
            if number % 256 == 0 and time.monotonic() >= due:
                shown, due = True, time.monotonic() + _BETWEEN_PROGRESS
                print(f"\r\x1b[K{what}: {number}", end="", file=sys.stderr, flush=True)
            yield item
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def number(count: int, what: str) -> str:
    """So many of what one of is called that: `1 event`, `2 events`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def say(text: str) -> None:
    """A line of the answer, on stdout."""
    print(visible(text))


def note(text: str) -> None:
    """Something that is not the answer, on stderr."""
    print(visible(text), file=sys.stderr)
