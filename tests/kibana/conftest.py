"""The same well-filled Elasticsearch as the board's."""

from tests.board.conftest import filled

__all__ = ["filled"]
