"""The environment that a worker's process wants, wherever it is started."""

from __future__ import annotations

from collections.abc import Mapping

WORKER: Mapping[str, str] = {
    "POLARS_MAX_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
"""One thread a frame; and glibc keeps what is freed, for the next frame needs it again.

Every frame takes and frees some ten arrays of a few hundred kilobytes, which glibc would give back
to the kernel each time and have zeroed anew: a tenth of the pure core's time.
"""
