"""Where zips lie, from the `zipcodes` package.

Its coordinates are GeoNames data (https://www.geonames.org), licensed CC BY 4.0.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import zipcodes

from beam_pipeline.domain.references import Places

ZIPS = 100_000


@dataclass(frozen=True, slots=True)
class ZipPlaces:
    """Opens the places of every zip of the United States; about a second."""

    def open(self) -> Places:
        """State and location by zip.

        The package tells more of a place than that, and keeps it all once it is asked for all.
        """
        known = pl.DataFrame(
            [
                (int(place["zip_code"]), place["state"], _location(place["lat"], place["long"]))
                for begin in range(100)
                for place in zipcodes.similar_to(f"{begin:02}")  # type: ignore[no-untyped-call]
            ],
            schema={"zip": pl.Int64, "state": pl.String, "location": pl.String},
            orient="row",
        )
        every = pl.DataFrame({"zip": range(ZIPS)}).join(
            known, on="zip", how="left", maintain_order="left"
        )
        return Places(state=every["state"], location=every["location"])


def _location(latitude: str, longitude: str) -> str | None:
    """ "lat,lon"; None for military post offices, which the package puts at 0, 0."""
    return None if latitude == longitude == "0" else f"{latitude},{longitude}"
