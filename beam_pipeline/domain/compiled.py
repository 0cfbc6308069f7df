"""Inner loops in machine code: plain Python over arrays, compiled by numba when a module loads.

A loop takes its rows one after the other, so what it does to a row may depend on the rows before:
no copies, no passes over columns, and a frame of ten rows costs no more than ten rows.

A compiled loop is kept beside its module, in `__pycache__`, until that file changes. So a loop
calls compiled loops, and uses constants, of its own file only: a test holds it to that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

Loop = TypeVar("Loop", bound=Callable[..., Any])


def _array(of: types.Type, dimensions: int = 1, *, readonly: bool = True) -> types.Array:
    return types.Array(of, dimensions, "C", readonly=readonly)


VOID, INT, WORD, BYTE = types.void, types.int64, types.uint64, types.uint8
TRUTH = types.boolean
INTS, IDS32, WORDS, BYTES, FLAGS = (
    _array(of) for of in (types.int64, types.int32, types.uint64, types.uint8, types.boolean)
)
"""Arguments of one dimension that are read: int64, int32, uint64, uint8 and bool."""
OUT_INTS, OUT_IDS32, OUT_WORDS, OUT_BYTES, OUT_FLAGS = (
    _array(of, readonly=False)
    for of in (types.int64, types.int32, types.uint64, types.uint8, types.boolean)
)
"""The same, of arrays that are written."""
TABLE, OUT_TABLE = (_array(types.int64, 2, readonly=readonly) for readonly in (True, False))
"""An int64 array of two dimensions that is read, and one that is written."""
OUT_WORD_TABLE = _array(types.uint64, 2, readonly=False)
"""A uint64 array of two dimensions that is written."""
WORDS_AT, OUT_WORDS_AT = (
    types.Array(types.uint64, 1, "A", readonly=readonly, aligned=False)
    for readonly in (True, False)
)
"""What `words_at` gives, read and written."""


def tuple_of(member: types.Type, size: int) -> types.Type:
    """A tuple of so many arguments of one type."""
    return types.UniTuple(member, size)  # type: ignore[no-untyped-call]


def compiled(
    result: types.Type, *arguments: types.Type, allocates: bool = True, inline: bool = False
) -> Callable[[Loop], Loop]:
    """Compile a function of these types; it holds no GIL while it runs.

    Args:
        allocates: whether it makes arrays. One that does not counts no references either, which
            would cost 5 ns for each array that it hands to another loop.
        inline: compile it into the loops of its file that call it, once for each call.
    """
    njit: Any = numba.njit
    return njit(
        result(*arguments),
        cache=True,
        nogil=True,
        error_model="numpy",
        _nrt=allocates,
        forceinline=inline,
    )


step = partial(compiled, allocates=False, inline=True)
"""Compile a part of the loops of a file, which makes no array."""


def words_at(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The eight bytes that begin at each byte, as a word whose lowest byte is the first.

    uint64 [n - 7] of uint8 [n]: the same memory, so that a loop moves eight bytes at once.
    """
    return np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
