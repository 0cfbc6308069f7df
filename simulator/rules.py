"""The numbers of the rules, in milliseconds, as the account reads them."""

from __future__ import annotations

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

FIVE_MS = 5 * MINUTE_MS
"""The fixed window, and the step of the sliding one."""
HALF_HOUR_MS = 30 * MINUTE_MS
"""The sliding window, and how far a play looks back for others of its track."""
ENOUGH = 3
"""Plays of one track within half an hour that make an interest."""
LATE_MS = 2 * HOUR_MS
"""Published longer than this after it was played, a play is too late to be counted."""
SKEW_MS = 5 * MINUTE_MS
"""How far a listener's clock may run ahead."""
OLD_MS = 30 * DAY_MS
"""Published longer than this after it was played, a play is rejected."""
HORIZON_MS = 6 * HOUR_MS
"""A copy published within this of the first one is a duplicate."""
