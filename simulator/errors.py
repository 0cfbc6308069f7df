"""The one error a person at the command line can cause."""

from __future__ import annotations


class UsageError(Exception):
    """A flag or a file that cannot be used; its text is one sentence for whoever typed it."""
