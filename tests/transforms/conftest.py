"""The session's real Redis, empty for each test."""

from tests.edges.conftest import redis

__all__ = ["redis"]
