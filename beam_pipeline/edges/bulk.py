"""Elasticsearch's bulk requests: bodies straight from Arrow buffers, a verdict for each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from elastic_transport import ConnectionError as Unreachable
from elastic_transport import ConnectionTimeout, NdjsonSerializer
from elasticsearch import ApiError, Elasticsearch
from numpy.typing import NDArray

from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.sinks import Refused

BODY_BYTES = 5_000_000
READ_BATCH = 2_000

_NDJSON = {"accept": "application/json", "content-type": "application/x-ndjson"}
_ERROR = "items.*.error"
_ANSWER = {
    "filter_path": f"errors,items.*.status,{_ERROR}.type,{_ERROR}.reason,{_ERROR}.caused_by.reason"
}
"""All that is read of an answer: it stays small."""
_VERSIONS = {"filter_path": f"{_ANSWER['filter_path']},items.*._seq_no,items.*._primary_term"}
_CALLERS_FAULT = frozenset({400, 405, 406})
_TOO_LARGE = 413

Positions = NDArray[np.int64]


class Unchanged(NdjsonSerializer):
    """Bodies that are bytes already go out as they are, without the client's copy."""

    mimetype = "application/vnd.elasticsearch+x-ndjson"

    def dumps(self, data: Any) -> bytes:
        """`data` itself if it is bytes."""
        return data if isinstance(data, bytes) else super().dumps(data)


class Unwell(Exception):
    """Elasticsearch cannot answer now; the text says why."""


@dataclass(slots=True)
class Verdicts:
    """What became of the lines of a bulk that were not simply stored, by their position."""

    refused: dict[int, str] = field(default_factory=dict)
    """Lines that Elasticsearch will never take, and why."""
    conflicts: list[int] = field(default_factory=list)
    """Lines whose document is there in a version as good or better, or was written meanwhile."""
    again: list[int] = field(default_factory=list)
    """Lines to be sent once more."""
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Of lines that were stored, the sequence number and primary term, if asked for."""
    trouble: str = ""
    """Why Elasticsearch could not take the lines of `again`; empty if they were only too many."""

    def add(self, position: int, item: dict[str, Any]) -> None:
        """Take in one item of an answer; a full cluster is not the document's fault."""
        if "error" not in item:
            if "_seq_no" in item:
                self.versions[position] = item["_seq_no"], item["_primary_term"]
            return
        error = item["error"]
        cause = error.get("caused_by", {}).get("reason")
        detail = f"{error['type']}: {error.get('reason', '')}" + (f" ({cause})" if cause else "")
        if item["status"] == 409:
            self.conflicts.append(position)
        elif item["status"] == 400 and error["type"] != "validation_exception":
            self.refused[position] = detail
        else:
            self.again.append(position)
            self.trouble = detail


class Bulk:
    """Bulk requests that end with a verdict for each line, however long the outage before it."""

    def __init__(self, client: Elasticsearch, outage: Outage) -> None:
        self.client = client
        self._outage = outage
        self._body_bytes = BODY_BYTES

    def send(self, lines: pa.LargeStringArray, *, versions: bool = False) -> Verdicts:
        """Store `lines` (action, newline, document, newline); `again` ends up empty."""
        verdicts = Verdicts()
        pending: Positions = np.arange(len(lines))
        wanted = lines
        while len(pending):
            verdicts.again, verdicts.trouble = [], ""
            for part, body in _bodies(wanted, self._body_bytes):
                self._post(body, pending[part], verdicts, _VERSIONS if versions else _ANSWER)
            if verdicts.trouble:
                self._outage.wait(verdicts.trouble)
            else:
                self._outage.over()
            pending = np.array(verdicts.again, np.int64)
            wanted = lines.take(pa.array(pending))
        return verdicts

    def _post(
        self, body: bytes, positions: Positions, verdicts: Verdicts, asked: dict[str, str]
    ) -> None:
        try:
            answer = self._outage.call(lambda: self._bulk(body, asked), (Unwell,))
        except ApiError as error:
            if error.meta.status != _TOO_LARGE:
                raise
            if len(positions) == 1:
                verdicts.refused[int(positions[0])] = f"too large: {error}"
            else:
                self._body_bytes = max(1, len(body) // 2)
                verdicts.again += positions.tolist()
            return
        if answer["errors"] or asked is _VERSIONS:
            for position, item in zip(positions.tolist(), answer["items"], strict=True):
                verdicts.add(position, next(iter(item.values())))

    def _bulk(self, body: bytes, asked: dict[str, str]) -> dict[str, Any]:
        with _unwell():
            return self.client.perform_request(
                "POST", "/_bulk", params=asked, headers=_NDJSON, body=body
            ).body

    def read(self, index: str, identities: list[str]) -> list[dict[str, Any]]:
        """The documents of these ids, in order, as mget gives them; `found` is False for none."""
        documents: list[dict[str, Any]] = []
        for start in range(0, len(identities), READ_BATCH):
            batch = identities[start : start + READ_BATCH]
            documents += self._outage.call(partial(self._mget, index, batch), (Unwell,))
        return documents

    def _mget(self, index: str, identities: list[str]) -> list[dict[str, Any]]:
        with _unwell():
            documents = self.client.mget(index=index, ids=identities)["docs"]
        for document in documents:
            error = document.get("error", {}).get("type")
            if error not in (None, "index_not_found_exception"):
                raise Unwell(str(document["error"]))
        return documents


@contextmanager
def _unwell() -> Iterator[None]:
    """Whatever is not the request's own fault becomes `Unwell`."""
    try:
        yield
    except (Unreachable, ConnectionTimeout) as error:
        raise Unwell(f"{type(error).__name__}: {error.message}") from error
    except ApiError as error:
        if error.meta.status in _CALLERS_FAULT or error.meta.status == _TOO_LARGE:
            raise
        raise Unwell(str(error)) from error


def _bodies(lines: pa.LargeStringArray, most_bytes: int) -> Iterator[tuple[slice, bytes]]:
    """Request bodies of at most so many bytes (or one line) and which of `lines` they hold."""
    _, offsets_buffer, text = lines.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    start = 0
    while start < len(lines):
        end = int(np.searchsorted(offsets, offsets[start] + most_bytes, "right")) - 1
        end = max(end, start + 1)
        yield slice(start, end), text[int(offsets[start]) : int(offsets[end])].to_pybytes()
        start = end


def refusals(lines: pa.LargeStringArray, verdicts: Verdicts) -> list[Refused]:
    """The lines that were refused, each with its index and id, and its document."""
    refused = []
    for position, detail in verdicts.refused.items():
        action, document = lines[position].as_py().split("\n", 1)
        address = next(iter(json.loads(action).values()))
        identity = f"{address['_index']}/{address['_id']}"
        refused.append(Refused(identity, detail, document.rstrip().encode()))
    return refused
