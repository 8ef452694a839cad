"""The bitmaps of taken addresses, against a set of numbers."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.directory.taken import Bitmaps, Taken, rewrite
from ipam.model import IPV4, IPV6, WIDTH, Address

BLOCK = 32_768
TOP = {family: (1 << width) - 1 for family, width in WIDTH.items()}


def near(family: int) -> st.SearchStrategy[int]:
    """Numbers about the borders of blocks, at the bottom, in the middle, and at the top of the family."""
    middle = 1 << (WIDTH[family] - 1)
    borders = [0, BLOCK, 2 * BLOCK, middle, middle + BLOCK, TOP[family] + 1 - BLOCK, TOP[family] + 1]
    return st.builds(
        lambda border, off: min(max(border + off, 0), TOP[family]), st.sampled_from(borders), st.integers(-4, 4)
    )


@contextmanager
def empty_directory() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as name:
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@settings(max_examples=150, deadline=None, database=None)
@given(st.data(), st.sampled_from([IPV4, IPV6]))
def test_marks_and_searches_agree_with_a_set(data: st.DataObject, family: int) -> None:
    numbers = near(family)
    with empty_directory() as fd:
        model: set[int] = set()
        if data.draw(st.booleans(), "made anew at first"):
            model = data.draw(st.sets(numbers))
            rewrite(fd, [Address(family, number) for number in model])
        taken = Taken(Bitmaps(fd))
        for number, mark in data.draw(st.lists(st.tuples(numbers, st.booleans()), max_size=12)):
            taken.mark(Address(family, number), taken=mark)
            model.add(number) if mark else model.discard(number)
        first, last = sorted(data.draw(st.tuples(numbers, numbers)))
        last = min(last, first + 3 * BLOCK)
        expected = next((number for number in range(first, last + 1) if number not in model), None)
        assert taken.next_free(family, first, last) == expected
        taken.save()
        assert Taken(Bitmaps(fd)).next_free(family, first, last) == expected
        other = IPV6 if family == IPV4 else IPV4
        assert Taken(Bitmaps(fd)).next_free(other, first & TOP[IPV4], TOP[IPV4]) == first & TOP[IPV4]


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("border", [BLOCK, 2 * BLOCK, 65_536 * BLOCK])
def test_the_search_goes_on_in_the_next_block(directory: int, family: int, border: int) -> None:
    rewrite(directory, [Address(family, border - 1)])
    taken = Taken(Bitmaps(directory))
    assert taken.next_free(family, border - 1, border) == border
    assert taken.next_free(family, border - 1, border - 1) is None
    taken.mark(Address(family, border), taken=True)
    assert taken.next_free(family, border - 1, border) is None
    assert taken.next_free(family, border - 2, border) == border - 2


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_the_last_address_of_all_can_be_taken_and_freed(directory: int, family: int) -> None:
    top = TOP[family]
    taken = Taken(Bitmaps(directory))
    assert taken.next_free(family, top, top) == top
    taken.mark(Address(family, top), taken=True)
    taken.save()
    assert Taken(Bitmaps(directory)).next_free(family, top, top) is None
    assert Taken(Bitmaps(directory)).next_free(family, top - 1, top) == top - 1
    again = Taken(Bitmaps(directory))
    again.mark(Address(family, top), taken=False)
    again.save()
    assert Taken(Bitmaps(directory)).next_free(family, top, top) == top


def test_saving_a_mark_leaves_its_neighbours_alone(directory: int) -> None:
    rewrite(directory, [Address(IPV4, number) for number in range(0, 64, 2)])
    taken = Taken(Bitmaps(directory))
    taken.mark(Address(IPV4, 9), taken=True)
    taken.mark(Address(IPV4, 10), taken=False)
    taken.save()
    free = [number for number in range(64) if Taken(Bitmaps(directory)).next_free(IPV4, number, number) == number]
    assert free == sorted({*range(1, 64, 2)} - {9} | {10})


def test_made_anew_nothing_of_the_old_is_left(directory: int) -> None:
    rewrite(directory, [Address(IPV4, 5), Address(IPV6, 5), Address(IPV4, 5 + BLOCK)])
    rewrite(directory, [Address(IPV4, 6)])
    taken = Taken(Bitmaps(directory))
    assert taken.next_free(IPV4, 5, 6) == 5
    assert taken.next_free(IPV4, 6, 7) == 7
    assert taken.next_free(IPV4, 5 + BLOCK, 6 + BLOCK) == 5 + BLOCK
    assert taken.next_free(IPV6, 5, 6) == 5


def test_a_full_slash_16_is_found_full_with_two_files(directory: int) -> None:
    base = 10 << 24
    rewrite(directory, [Address(IPV4, base + number) for number in range(65_536)])
    assert len(os.listdir(directory)) == 2
    assert Taken(Bitmaps(directory)).next_free(IPV4, base, base + 65_535) is None
    assert Taken(Bitmaps(directory)).next_free(IPV4, base, base + 65_536) == base + 65_536
