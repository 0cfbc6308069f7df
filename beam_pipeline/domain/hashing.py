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

    Strings of one length are hashed together, eight bytes a step.
    """
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    buffers = array.buffers()
    n = len(array)
    result = np.zeros(n, np.uint64)
    if n == 0 or buffers[2] is None:
        return result
    offsets = np.frombuffer(buffers[1], np.int64)[array.offset : array.offset + n + 1]
    data = np.frombuffer(buffers[2], np.uint8)
    lengths = np.diff(offsets)
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest == longest:
        grid = data[offsets[0] : offsets[0] + n * longest].reshape(n, longest)
        return _hash_grid(grid, seed)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        places = offsets[rows][:, None] + np.arange(length)
        result[rows] = _hash_grid(data[places], seed)
    return result


def _hash_grid(grid: NDArray[np.uint8], seed: int) -> NDArray[np.uint64]:
    n, length = grid.shape
    words = -(-length // 8)
    padded = np.zeros((n, words * 8), np.uint8)
    padded[:, :length] = grid
    lanes = padded.view("<u8")
    total = np.full(n, (seed << 32) + length, np.uint64)
    for lane in range(words):
        total ^= lanes[:, lane]
        total *= _K1
        total ^= total >> np.uint64(32)
    return mix(total)
