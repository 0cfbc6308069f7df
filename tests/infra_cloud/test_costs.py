"""The cost table of infra/README.md is what its assumptions come to."""

from __future__ import annotations

from infra import costs
from tests.infra_cloud.recording import INFRA


def test_the_table_is_what_the_assumptions_come_to() -> None:
    assert costs.table() in (INFRA / "README.md").read_text()


def test_a_million_events_get_cheaper_with_size() -> None:
    a_million = [sum(costs.rows(size).values()) / size.events * 1e6 for size in costs.SIZES]
    assert a_million == sorted(a_million, reverse=True)
