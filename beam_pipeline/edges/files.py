"""Files as the bounded source: NDJSON and the original CSV logs, plain or gzip."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

import apache_beam as beam
from apache_beam import typehints
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import PBegin, PCollection

from beam_pipeline.domain.lines import Block
from beam_pipeline.domain.originals import ORIGINALS

PIECE_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_HEADERS = (b"EventID,", b"event_id,")


class Meter:
    """How much of the input has been read in this process: what a progress display shows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.lines = 0
        self.files = 0

    def add(self, lines: int = 0, files: int = 0) -> None:
        """Count what was read."""
        with self._lock:
            self.lines += lines
            self.files += files


METER = Meter()


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of events: its path (local or gs://) and its format, `play`, `ad`, or an original."""

    path: str
    format: str


class ReadFiles(beam.PTransform):
    """Files → PCollection[Block], a block about a mebibyte."""

    def __init__(self, files: Iterable[InputFile]) -> None:
        super().__init__()
        self._files = list(files)

    def expand(self, begin: PBegin) -> PCollection[Block]:
        """Read every file in pieces."""
        return (
            begin
            | "Files" >> beam.Create(self._files).with_output_types(InputFile)
            | "Read pieces" >> beam.ParDo(_ReadFn())
        )


@typehints.with_input_types(InputFile)
@typehints.with_output_types(Block)
class _ReadFn(beam.DoFn):
    def process(self, file: InputFile) -> Iterable[Block]:
        kind, convert = ORIGINALS.get(file.format, (file.format, None))
        first_line = 1
        with open_input(file.path) as stream:
            for piece in pieces(stream):
                lines = piece.count(b"\n") + (not piece.endswith(b"\n"))
                if convert is not None:
                    rows = piece.removesuffix(b"\n").split(b"\n")
                    if first_line == 1 and rows[0].startswith(_HEADERS):
                        rows, lines, first_line = rows[1:], lines - 1, 2
                    if not rows:
                        continue
                    piece = b"\n".join(convert(row.rstrip(b"\r")) for row in rows)
                METER.add(lines=lines)
                yield Block(
                    kind=kind,
                    schema="1",
                    payload=piece,
                    published_ms=0,
                    publish_time_ms=0,
                    id=file.path,
                    source="file",
                    own_times=True,
                    first_line=first_line,
                )
                first_line += lines
        METER.add(files=1)


def open_input(path: str) -> IO[bytes]:
    """Open a file of any of Beam's file systems for reading; gzip is known by its first bytes.

    Raises:
        OSError: when it cannot be opened.
    """
    stream = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    magic = stream.read(2)
    stream.seek(0)
    return gzip.open(stream) if magic == _GZIP else stream  # type: ignore[return-value]


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """A file's lines in pieces of at least PIECE_BYTES, each of whole lines."""
    rest = b""
    while data := stream.read(PIECE_BYTES):
        end = data.rfind(b"\n") + 1
        if end == 0:
            rest += data
            continue
        yield rest + data[:end]
        rest = data[end:]
    if rest:
        yield rest
