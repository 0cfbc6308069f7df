"""The page's files, compressed once, under an address that names their version."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass

from functions.board.catalogue import Catalogue
from functions.board.colours import ACCENT, SERIES
from functions.board.paths import BUNDLE, STATIC
from functions.shared.environment import SettingsError

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    content: bytes
    gzipped: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them, and the version that changes when any of them does."""

    files: dict[str, Asset]
    version: str

    @classmethod
    def load(cls, catalogue: Catalogue) -> Assets:
        """From `static/`, with the colours of data and the catalogue's grid in the style.

        Raises:
            SettingsError: when the bundle has not been built.
        """
        if not BUNDLE.exists():
            raise SettingsError("static/vega.js is missing: run python -m functions.board.build")
        contents = {
            path.name: path.read_bytes()
            for path in sorted(STATIC.iterdir())
            if path.suffix in _TYPES
        }
        contents["board.css"] += (palette() + grid(catalogue)).encode()
        digest = hashlib.sha256()
        for name, content in contents.items():
            digest.update(name.encode() + content)
        files = {
            name: Asset(content, gzip.compress(content, 9), _TYPES[name[name.rindex(".") :]])
            for name, content in contents.items()
        }
        return cls(files, digest.hexdigest()[:12])


def palette() -> str:
    """The colours of data by the names of their series, such as `--mobile`."""
    named = {"data": ACCENT, **SERIES}
    return ":root{" + "".join(f"--{name}:{colour};" for name, colour in named.items()) + "}\n"


def grid(catalogue: Catalogue) -> str:
    """A class for each width and height that the charts have: `c32` is 32 of 48 columns."""
    sizes = [chart.size for chart in catalogue.of("page")]
    widths = "".join(f".c{w}{{--w:{w}}}" for w in sorted({width for width, _ in sizes}))
    heights = "".join(f".r{h}{{--h:{h}}}" for h in sorted({height for _, height in sizes}))
    return widths + heights + "\n"
