"""Random streams that depend on nothing but their name.

Every slice of time and every purpose has a stream of its own, so a slice can be made again alone,
and turning one fault up leaves everything else as it was.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

UInts = npt.NDArray[np.uint64]


def stream(seed: int, purpose: str, part: int = 0) -> np.random.Generator:
    """The random stream of (seed, purpose, part); the same on every machine and version."""
    return np.random.Generator(np.random.PCG64([seed, purpose_number(purpose), part % 2**63]))


def purpose_number(purpose: str) -> int:
    """A purpose as 64 bits that never change."""
    return int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "big")


def scatter(values: npt.NDArray[np.integer], salt: int) -> UInts:
    """64 well-mixed bits for each integer (the finaliser of splitmix64, Steele et al. 2014)."""
    x = values.astype(np.uint64)
    x = x + np.uint64(salt % 2**64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(values: npt.NDArray[np.integer], salt: int) -> npt.NDArray[np.float64]:
    """A fixed number in [0, 1) for each integer: a trait that needs no memory."""
    return (scatter(values, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53
