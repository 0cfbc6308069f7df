"""Small files that several processes share, in a folder or in a Cloud Storage bucket.

A write names the generation that it replaces. Who comes second gets a Conflict and nothing is
lost; who reads sees a whole file, the old one or the new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from google.cloud.storage import Bucket

_WRITER = "encore-writer"
_READS = 20
"""How often a reader begins again when a writer was faster."""

ABSENT = 0
"""The generation of a file that is not there."""


class Conflict(Exception):
    """The file is not at the generation that was to be replaced."""


class Unreachable(Exception):
    """The files cannot be read now; a later try may go through."""


class Stored(NamedTuple):
    """A file as it was read."""

    content: bytes
    generation: int


class Objects(Protocol):
    """Named files; a name is a relative path with slashes."""

    def read(self, name: str) -> Stored | None:
        """A whole file, None where there is none. Raises Unreachable."""
        ...

    def write(self, name: str, content: bytes, generation: int) -> None:
        """Replace the file at `generation` (ABSENT: create it). Raises Conflict, Unreachable."""
        ...

    def folders(self) -> list[str]:
        """The first parts of all names that have more than one, sorted. Raises Unreachable."""
        ...


@dataclass(frozen=True, slots=True)
class FolderObjects:
    """Files below a folder; processes of one machine may share it."""

    root: Path

    def read(self, name: str) -> Stored | None:
        """See Objects; the generation is taken from the content."""
        try:
            content = (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreachable(str(error)) from error
        return Stored(content, _digest(content))

    def write(self, name: str, content: bytes, generation: int) -> None:
        """See Objects; on disk before it returns."""
        target = self.root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                found = self.read(name)
                if (found.generation if found else ABSENT) != generation:
                    raise Conflict(f"{target} was changed by somebody else")
                _replace(target, content)
        except OSError as error:
            raise Unreachable(str(error)) from error

    def folders(self) -> list[str]:
        """See Objects."""
        if not self.root.is_dir():
            return []
        return sorted(entry.name for entry in self.root.iterdir() if entry.is_dir())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class BucketObjects:
    """Objects of a Cloud Storage bucket below a prefix."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def read(self, name: str) -> Stored | None:
        """See Objects; the generation is the bucket's own."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        with _reachable():
            for _ in range(_READS):
                blob = self._bucket.get_blob(self._prefix + name)
                if blob is None:
                    return None
                try:
                    content = blob.download_as_bytes(if_generation_match=blob.generation)
                except (NotFound, PreconditionFailed):
                    continue
                return Stored(content, blob.generation)
        raise Unreachable(f"{name} is replaced faster than it can be read")

    def write(self, name: str, content: bytes, generation: int) -> None:
        """See Objects. A retry that meets its own first try has succeeded."""
        from google.api_core.exceptions import PreconditionFailed

        with _reachable():
            blob = self._bucket.blob(self._prefix + name)
            blob.metadata = {_WRITER: secrets.token_hex(8)}
            try:
                blob.upload_from_string(
                    content, content_type=_content_type(name), if_generation_match=generation
                )
            except PreconditionFailed as error:
                found = self._bucket.get_blob(self._prefix + name)
                if found is None or (found.metadata or {}).get(_WRITER) != blob.metadata[_WRITER]:
                    raise Conflict(f"{name} was changed by somebody else") from error

    def folders(self) -> list[str]:
        """See Objects."""
        with _reachable():
            listing = self._bucket.client.list_blobs(
                self._bucket, prefix=self._prefix, delimiter="/"
            )
            for _ in listing:
                pass
            return sorted(name[len(self._prefix) :].rstrip("/") for name in listing.prefixes)


def open_objects(location: str) -> Objects:
    """The files at a folder's path or at gs://BUCKET/PREFIX."""
    scheme, _, rest = location.partition("://")
    if scheme != "gs":
        return FolderObjects(Path(location))
    from google.cloud import storage

    bucket, _, prefix = rest.partition("/")
    return BucketObjects(storage.Client().bucket(bucket), prefix)


@contextmanager
def _reachable() -> Iterator[None]:
    """What a bucket answers when it cannot be used now becomes Unreachable."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, RequestException) as error:
        raise Unreachable(str(error)) from error


def _content_type(name: str) -> str:
    return "text/html" if name.endswith(".html") else "application/json"


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") | 1


def _replace(target: Path, content: bytes) -> None:
    """Put a whole file in another's place; a crash leaves the one or the other."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
