"""Hypothesis profiles: the default draws the same examples every time, `thorough` new ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=_UNHURRIED,
)
settings.register_profile(
    "thorough",
    database=None,
    deadline=None,
    max_examples=3000,
    suppress_health_check=_UNHURRIED,
    print_blob=True,
)


def pytest_configure() -> None:
    """Take the profile that HYPOTHESIS_PROFILE names."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
