"""What a demo asks of its stores."""

from __future__ import annotations

from infra.local.stack import Stack
from infra.local.stores import Stores


def test_an_index_that_is_not_there_yet_holds_nothing(stack: Stack) -> None:
    """A short demo may find no interest at all: that is an account of none, not a failure."""
    stack.start(("elasticsearch", "redis", "bigquery"))
    stores = Stores(stack.endpoints)
    assert stores.document_ids("never-written").is_empty()
    stores.close()
