"""What the filled stores hold, and where they are: what the fixture `filled` gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from functions.board.catalogue import load
from functions.board.data import Data
from functions.board.progress import ProgressReader

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
NOW = START + timedelta(hours=2, minutes=47, seconds=30)
"""The board's clock in these tests: the top lists' two windows lie on two days."""


@dataclass
class Filled:
    """Where the data are, and the same as plain dictionaries by dataset."""

    elasticsearch: str
    redis: str
    rows: dict[str, list[dict[str, Any]]]
    customers: list[dict[str, str]]
    """The reference data's, with names and phones."""

    def client(self) -> Elasticsearch:
        """A client of its own."""
        return Elasticsearch(self.elasticsearch, request_timeout=30)

    def data(self, *, customers: bool = True, now: datetime = NOW) -> Data:
        """The board's reader with nothing cached, its clock at `now`."""
        progress = ProgressReader(self.redis)
        return Data(
            self.client(), progress, load(), customers=customers, clock=lambda: now.timestamp()
        )
