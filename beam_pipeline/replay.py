"""`python -m beam_pipeline.replay`: dead letters of the ledger come back as messages."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NoReturn

import polars as pl

from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.reasons import InvalidEvent, Reason
from beam_pipeline.domain.replay import Fate, Judged, Letter, attributes_of, judge, line_of
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_read import QueryFailed
from beam_pipeline.edges.letters import days, letters, stored
from beam_pipeline.edges.publishing import NotPublished, Outgoing, Topic

SHOWN = 20
"""Letters that are listed, beside the counts of all."""
LETTERS_AT_ONCE = 5_000

ABOUT = """List and count dead letters, and publish those again that are events by the rules of this
release: of a newer schema after an upgrade, of a clock that was ahead, of a fault of ours.

  python -m beam_pipeline.replay --reason unknown_schema --since 2026-03-14 --dry-run \\
    --bigquery PROJECT.DATASET
  python -m beam_pipeline.replay --reason unknown_schema --since 2026-03-14 \\
    --bigquery PROJECT.DATASET --topic projects/PROJECT/topics/events

A replayed letter counts at the time of its replay, and is late if it happened more than two hours
before. Running again is safe: an event that the ledger holds is not published again, one that it
does not hold yet counts as a duplicate, and a letter that is refused again stays one letter.

The last line counts what was found: replayed; stored (the ledger holds the event); refused (it
would be refused again); cut (only its beginning was kept); no_event (a row that a store refused).
Exit codes: 0 done, 2 a flag, BigQuery or Pub/Sub that cannot be used."""


class UsageError(Exception):
    """The command line cannot be used; the text is one sentence that says why."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message[0].upper() + message[1:])


@dataclass(frozen=True, slots=True)
class Settings:
    """What to replay, from where to where."""

    reasons: tuple[str, ...]
    since: datetime
    until: datetime
    dry_run: bool
    ledger: BigQueryConfig
    topic: str | None
    """projects/P/topics/T; None for a dry run without one."""


def main(arguments: Sequence[str], now: datetime) -> int:
    """Replay what the command line asks for; the exit code."""
    try:
        replay(_settings(arguments, now), now)
    except (UsageError, QueryFailed, NotPublished) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    return 0


def _settings(arguments: Sequence[str], now: datetime) -> Settings:
    parser = _Parser(
        prog="python -m beam_pipeline.replay",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--reason",
        nargs="+",
        required=True,
        choices=[str(reason) for reason in Reason],
        metavar="REASON",
        help=f"one or more of {', '.join(Reason)}",
    )
    parser.add_argument(
        "--since",
        required=True,
        type=_moment,
        metavar="TIME",
        help="received from this moment on: 2026-03-14 or 2026-03-14T09:30:00Z",
    )
    parser.add_argument(
        "--until", type=_moment, default=now, metavar="TIME", help="and before this one (now)"
    )
    parser.add_argument("--dry-run", action="store_true", help="list and count, publish nothing")
    parser.add_argument("--bigquery", required=True, metavar="PROJECT.DATASET")
    parser.add_argument("--topic", metavar="NAME", help="projects/P/topics/T")
    parser.add_argument("--bigquery-endpoint", metavar="URL", help="an emulator's address")
    parser.add_argument(
        "--bigquery-grpc-endpoint", metavar="HOST:PORT", help="an emulator's address"
    )
    args = parser.parse_args(arguments)
    if args.bigquery.count(".") != 1:
        raise UsageError(f"--bigquery takes PROJECT.DATASET, not {args.bigquery}")
    if args.topic is None and not args.dry_run:
        raise UsageError("Name --topic projects/P/topics/T, or --dry-run to publish nothing")
    if args.topic is not None and len(args.topic.split("/")) != 4:
        raise UsageError(f"--topic takes projects/P/topics/T, not {args.topic}")
    if args.since >= args.until:
        raise UsageError("--since must lie before --until, which is now unless you name another")
    project, dataset = args.bigquery.split(".")
    return Settings(
        reasons=tuple(args.reason),
        since=args.since,
        until=args.until,
        dry_run=args.dry_run,
        ledger=BigQueryConfig(
            project, dataset, args.bigquery_endpoint, args.bigquery_grpc_endpoint
        ),
        topic=args.topic,
    )


def _moment(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        pass
    try:
        return datetime.fromtimestamp(Instant.parse(text).ms / 1000, UTC)
    except InvalidEvent:
        raise argparse.ArgumentTypeError(
            f"expected 2026-03-14 or 2026-03-14T09:30:00Z, not {text}"
        ) from None


def replay(settings: Settings, now: datetime) -> None:
    """List, count and, unless it is a dry run, publish.

    Raises:
        QueryFailed, NotPublished: what was published before stays so; running again is safe.
    """
    topic = None if settings.dry_run or settings.topic is None else Topic(settings.topic)
    counts: Counter[Fate] = Counter()
    seen: set[str] = set()
    for since, until in days(settings.since, settings.until):
        found = letters(settings.ledger, settings.reasons, since, until)
        found = found.filter(~pl.col("id").is_in(list(seen)))
        seen.update(found["id"])
        for part in found.iter_slices(LETTERS_AT_ONCE):
            judged = _judged(settings.ledger, part, int(now.timestamp() * 1000))
            _list(part, judged, already=counts.total())
            if topic is not None:
                for done in topic.publish([*_messages(judged)]):
                    _say(f"published {counts[Fate.REPLAYED] + done:,}")
            counts.update(one.fate for one in judged)
        _say(f"{since:%Y-%m-%d}: {counts.total():,} letters found so far")
    if counts.total() > SHOWN:
        sys.stdout.write(f"… and {counts.total() - SHOWN:,} more\n")
    told = " ".join(f"{fate}={counts[fate]}" for fate in Fate)
    dry = "; a dry run: nothing was published" if settings.dry_run else ""
    sys.stdout.write(f"found={counts.total()} {told}{dry}\n")


def _judged(ledger: BigQueryConfig, found: pl.DataFrame, now_ms: int) -> list[Judged]:
    rows = found.select("id", "payload", "attributes").iter_rows()
    judged = [judge(Letter.read(*row), now_ms) for row in rows]
    held = stored(ledger, [one.identity for one in judged if one.identity])
    return [
        one.stored()
        if one.identity
        and (one.identity.kind, one.identity.customer_id, one.identity.event_id) in held
        else one
        for one in judged
    ]


def _messages(judged: Sequence[Judged]) -> Iterator[Outgoing]:
    for one in judged:
        if one.fate is Fate.REPLAYED:
            yield Outgoing(line_of(one.letter), attributes_of(one.letter))


def _list(found: pl.DataFrame, judged: Sequence[Judged], already: int) -> None:
    """A line a letter, for the first of all; what clients sent is not shown."""
    shown = found.select("received_at", "source", "reason").head(max(0, SHOWN - already))
    for (received_at, source, reason), one in zip(shown.iter_rows(), judged, strict=False):
        why = f" ({one.why})" if one.why else ""
        letter = f"{received_at:%Y-%m-%dT%H:%M:%SZ} {source} {reason} {one.letter.id}"
        sys.stdout.write(f"{letter}: {one.fate}{why}\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], datetime.now(UTC)))
