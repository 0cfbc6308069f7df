"""Quiet hours: no message between 21:00 and 08:00 where the listener lives.

The zone comes from the zip, by the `zipcodes` package (its places are GeoNames data,
https://www.geonames.org, CC BY 4.0). Of somebody whose zip says nothing the message waits
until it is day in every zone of the United States.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

OPENS = 8
CLOSES = 21
"""Hours of the listener's day between which messages go out."""

EVERYWHERE = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
)


def zones_of(zip_code: str | None) -> Sequence[str]:
    """The zones that somebody with this zip may live in; about a second when first asked."""
    zone = _zones().get(zip_code) if zip_code else None
    return EVERYWHERE if zone is None else (zone,)


def next_open(now: datetime, zones: Sequence[str]) -> datetime:
    """The first moment from `now` on, in UTC, at which it is day in all of the zones."""
    moment = now.astimezone(UTC)
    while True:
        later = max(_opens(moment, ZoneInfo(zone)) for zone in zones)
        if later == moment:
            return moment
        moment = later


def _opens(moment: datetime, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    if OPENS <= local.hour < CLOSES:
        return moment
    day = local.date() + timedelta(days=local.hour >= CLOSES)
    return datetime(day.year, day.month, day.day, OPENS, tzinfo=zone).astimezone(UTC)


@cache
def _zones() -> Mapping[str, str]:
    """Zone by zip. The package names some that there are not; those zips say nothing."""
    import zipcodes

    places = zipcodes.list_all()  # type: ignore[no-untyped-call]
    named = {place["zip_code"]: place.get("timezone") or "" for place in places}
    real = {zone for zone in set(named.values()) if _is_zone(zone)}
    return {zip_code: zone for zip_code, zone in named.items() if zone in real}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
