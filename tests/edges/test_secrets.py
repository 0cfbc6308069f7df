"""Secrets are named on command lines and known to workers alone."""

from __future__ import annotations

from beam_pipeline.edges.secrets import resolve


def test_a_text_that_is_no_reference_is_its_own_value() -> None:
    assert resolve("redis://127.0.0.1:6379/0", access=str.upper) == "redis://127.0.0.1:6379/0"


def test_a_reference_is_looked_up_by_its_full_name() -> None:
    name = "projects/an-example/secrets/redis-url/versions/3"
    assert resolve(f"secret:{name}", access=lambda asked: f"value of {asked}") == f"value of {name}"
