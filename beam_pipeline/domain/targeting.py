"""Who is chosen for an offer: the policy, over frames of customers who have just played.

Chosen is whoever the model scores at its threshold or above, and by chance a share of all who are
eligible: without them there would be nothing to learn from that the model has not picked itself.
Of both, a share is held out. All chances are hashes of offer and customer, so they fall the same
way each time, in every process, and independently of each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.features import FEATURES
from beam_pipeline.domain.hashing import combine
from beam_pipeline.domain.offers import ACTIVE, GOLD, HOLDOUT, SCREEN, SMS, Offer
from beam_pipeline.domain.rows import taken, where
from beam_pipeline.domain.schemas import TARGETS, TIMESTAMP
from beam_pipeline.domain.score import Model, matrix, score

_SUBJECTS = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "offer": pl.String(),
        "published_at": TIMESTAMP,
        "again": pl.Boolean(),
    }
)

CANDIDATES = pl.Schema({**_SUBJECTS, **dict.fromkeys(FEATURES, pl.Float64())})
"""An offer and a customer whose play was published at `published_at`. `again` says that a decision
is stored and only has to be written to the other stores; features that nobody knows are null."""

SCORED = pl.Schema(
    {
        **_SUBJECTS,
        "score": pl.Float64(),
        "model_version": pl.String(),
        "over": pl.Boolean(),
    }
)
"""Candidates with the model's chance of a click, whether it reaches the model's threshold, and the
model's version; score and version are null where there is no model or no feature."""


_NOBODY = TARGETS.to_frame()


def eligible(traits: pl.DataFrame) -> NDArray[np.bool_]:
    """Who of CUSTOMERS can still be upgraded, [n]: active and below Gold."""
    active = traits["status"].to_numpy() == ACTIVE
    return active & (traits["level_code"].to_numpy() < GOLD)


def scored(candidates: pl.DataFrame, model: Model | None) -> pl.DataFrame:
    """SCORED of CANDIDATES, in their order."""
    if model is None:
        chances = np.full(candidates.height, np.nan)
    else:
        chances = score(model, matrix(candidates, model.features))
    known = np.isfinite(chances)
    over = known & (chances >= (model.threshold if model is not None else 1.0))
    versions = pl.Series("model_version", [None, model and model.version], pl.String)
    return pl.DataFrame(
        [
            *candidates[list(_SUBJECTS)],
            pl.Series("score", chances, nan_to_null=True),
            taken(versions, known.astype(np.int64)),
            pl.Series("over", over),
        ]
    )


def proposals(subjects: pl.DataFrame, offers: Iterable[Offer], explore: float) -> pl.DataFrame:
    """TARGETS of those in SCORED who are chosen, or whose decision has to be written again.

    What is proposed for the latter does not matter: the stored decision stands.

    Args:
        offers: those that `subjects` may name.
        explore: share of the eligible who are chosen by chance, in [0, 1].
    """
    found = [
        _chosen(where(subjects, (subjects["offer"] == offer.id).to_numpy()), offer, explore)
        for offer in offers
    ]
    return pl.concat(found) if found else _NOBODY


def _chosen(subjects: pl.DataFrame, offer: Offer, explore: float) -> pl.DataFrame:
    customers = subjects["customer_id"].to_numpy()
    explored = draw(offer.id, "explore", customers) < explore
    chosen = explored | subjects["over"].to_numpy() | subjects["again"].to_numpy()
    subjects, customers, explored = where(subjects, chosen), customers[chosen], explored[chosen]
    held_out = draw(offer.id, "holdout", customers) < offer.holdout
    channels = pl.Series("channel", [SMS if offer.by_sms else SCREEN, HOLDOUT])
    return pl.DataFrame(
        [
            *subjects[["customer_id", "offer", "score", "model_version"]],
            subjects["published_at"].alias("decided_at"),
            taken(channels, held_out.astype(np.int64)),
            pl.Series("explore", explored),
        ]
    )


def draw(offer: str, purpose: str, customers: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number in [0, 1) for each customer, uniform and fixed for ever by offer and purpose."""
    salt = hashlib.sha256(f"{offer} {purpose}".encode()).digest()
    word = int.from_bytes(salt[:8], "little", signed=True)
    hashed = combine(customers, word)
    return (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53
