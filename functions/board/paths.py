"""Where the board's own files lie."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"
BUNDLE = STATIC / "vega.js"
"""The page's chart library, which `build` makes."""
BASE_MAP = STATIC / "us-states.json"
