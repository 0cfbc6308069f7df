"""Builds what the page needs and the repository does not hold: `static/vega.js`.

    python -m functions.board.build

One ES module of Vega, Vega-Lite and vega-embed (BSD-3-Clause), about 900 kB and 300 kB on the
wire, out of the package vl-convert-python: no network, about two seconds. A build whose version
is there already is left alone. Run it before the board is started or staged for deployment.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version

from functions.board.paths import BUNDLE

_SNIPPET = "export {vegaEmbed};"
_VEGA_LITE = "6.4"


def build() -> bool:
    """Write the bundle where it is missing or of another version; say whether it was written."""
    import vl_convert

    mark = f"// vl-convert {version('vl-convert-python')}, vega-lite {_VEGA_LITE}\n"
    if BUNDLE.exists():
        with BUNDLE.open() as stream:
            if stream.readline() == mark:
                return False
    bundle = mark + vl_convert.javascript_bundle(_SNIPPET, vl_version=_VEGA_LITE)
    unfinished = BUNDLE.with_suffix(".part")
    unfinished.write_text(bundle)
    unfinished.replace(BUNDLE)
    return True


def main() -> int:
    """Build, and say what was done."""
    argparse.ArgumentParser(
        prog="python -m functions.board.build",
        description="Builds functions/board/static/vega.js, the page's chart library.",
    ).parse_args()
    try:
        written = build()
    except ModuleNotFoundError:
        sys.stderr.write("vl-convert-python is not installed: pip install vl-convert-python\n")
        return 2
    size = BUNDLE.stat().st_size
    sys.stdout.write(f"{BUNDLE}: {size} bytes, {'built' if written else 'up to date'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
