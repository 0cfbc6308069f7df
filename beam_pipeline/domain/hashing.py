"""Hashes that are the same in every process and every version: they go into durable state."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

_K1 = np.uint64(0x9E3779B97F4A7C15)
_K2 = np.uint64(0xBF58476D1CE4E5B9)
_K3 = np.uint64(0x94D049BB133111EB)


def mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit of each word over all of it (the finaliser of SplitMix64, Steele 2014)."""
    value = value ^ (value >> np.uint64(30))
    value *= _K2
    value ^= value >> np.uint64(27)
    value *= _K3
    value ^= value >> np.uint64(31)
    return value


def combine(*parts: NDArray[np.int64] | NDArray[np.uint64] | int) -> NDArray[np.uint64]:
    """One hash of several integer columns of the same length."""
    total = np.zeros(1, np.uint64)
    for part in parts:
        words = np.atleast_1d(np.asarray(part)).astype(np.int64, copy=False).view(np.uint64)
        total = mix((total + _K1) ^ words)
    return total


def hash_strings(texts: pl.Series, seed: int = 0) -> NDArray[np.uint64]:
    """A 64-bit hash of each string's UTF-8 bytes, uint64 [n]; two seeds, two hashes.

    All strings are hashed together, eight bytes a step.
    """
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    buffers = array.buffers()
    n = len(array)
    result = np.zeros(n, np.uint64)
    if n == 0 or buffers[2] is None:
        return result
    offsets = np.frombuffer(buffers[1], np.int64)[array.offset : array.offset + n + 1]
    text = np.frombuffer(buffers[2], np.uint8)[offsets[0] : offsets[-1]]
    padded = np.zeros(len(text) + _WORD, np.uint8)
    padded[: len(text)] = text
    words = np.ndarray(len(text) + 1, "<u8", padded, strides=(1,))
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    total = np.full(n, seed << 32, np.uint64) + lengths.view(np.uint64)
    shortest, longest = int(lengths.min()), int(lengths.max())
    for place in range(0, shortest - _WORD + 1, _WORD):
        _absorb(total, words.take(starts + place))
    for place in range(shortest // _WORD * _WORD, longest, _WORD):
        rows = np.flatnonzero(lengths > place)
        left = np.minimum(lengths.take(rows) - place, _WORD)
        part = total.take(rows)
        _absorb(part, words.take(starts.take(rows) + place) & _FIRST_BYTES.take(left))
        total[rows] = part
    return mix(total)


_WORD = 8
_FIRST_BYTES = np.array([(1 << 8 * count) - 1 for count in range(_WORD + 1)], np.uint64)


def _absorb(total: NDArray[np.uint64], word: NDArray[np.uint64]) -> None:
    """Mix a word into each hash, in place."""
    total ^= word
    total *= _K1
    total ^= total >> np.uint64(32)
