"""Hashes that are the same in every process and every version: they go into durable state."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import BYTES, INT, INTS, OUT_WORDS, VOID, WORD, compiled, step

_K1 = np.uint64(0x9E3779B97F4A7C15)
_K2 = np.uint64(0xBF58476D1CE4E5B9)
_K3 = np.uint64(0x94D049BB133111EB)
_HALF = np.uint64(32)
_WORD = 8
"""Bytes that are taken in at once."""


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

    Eight bytes a step, the first one lowest.
    """
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    buffers = array.buffers()
    n = len(array)
    result = np.zeros(n, np.uint64)
    if n == 0 or buffers[2] is None:
        return result
    offsets = np.frombuffer(buffers[1], np.int64)[array.offset : array.offset + n + 1]
    _hash(np.frombuffer(buffers[2], np.uint8), offsets, np.uint64(seed), result)
    return result


@step(WORD, BYTES, INT, INT)
def _word(text: NDArray[np.uint8], start: int, length: int) -> np.uint64:
    """Up to eight bytes as a number, the first one lowest."""
    word = np.uint64(0)
    for place in range(length):
        word |= np.uint64(text[start + place]) << np.uint64(8 * place)
    return word


@compiled(VOID, BYTES, INTS, WORD, OUT_WORDS, allocates=False)
def _hash(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    seed: np.uint64,
    hashes: NDArray[np.uint64],
) -> None:
    """Hash the bytes between every two offsets."""
    for row in range(len(hashes)):
        place, end = offsets[row], offsets[row + 1]
        total = (seed << _HALF) + np.uint64(end - place)
        while place + _WORD <= end:
            total = (total ^ _word(text, place, _WORD)) * _K1
            total ^= total >> _HALF
            place += _WORD
        if place < end:
            total = (total ^ _word(text, place, end - place)) * _K1
            total ^= total >> _HALF
        total = (total ^ (total >> np.uint64(30))) * _K2
        total = (total ^ (total >> np.uint64(27))) * _K3
        hashes[row] = total ^ (total >> np.uint64(31))
