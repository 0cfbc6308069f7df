"""No saved query reads a day that it does not name: shown on the text of the SQL itself."""

import re
from pathlib import Path

import pytest

from beam_pipeline.edges.tables import folder, read_tables
from tests.bigquery.sql import DECLARED, without_comments

DAYS = {table.name: table.partition.field for table in read_tables() if table.partition}
WHOLE = {table.name for table in read_tables()} - set(DAYS) | {"interests_current"}
SOURCE = re.compile(r"\b(?:FROM|JOIN)\s+encore\.(\w+)(?:\(([^;]*?)\)(?=\s|;|$))?", re.IGNORECASE)
BOUND = r"(?:since|until|DATE\(since\)|DATE\(until\))"
ARGUMENT = r"(?:TIMESTAMP_SUB\(since, INTERVAL \d+ DAY\)|since)"

QUERIES = sorted((folder() / "queries").glob("*.sql"))
FUNCTIONS = sorted((folder() / "views").glob("*_between.sql"))


def offences(sql: str) -> list[str]:
    """The sources of a statement of which more than the named days could be read."""
    text = without_comments(sql)
    found = []
    for source in SOURCE.finditer(text):
        name, arguments = source.groups()
        if name.endswith("_between"):
            if not re.fullmatch(rf"{ARGUMENT}, until", arguments or ""):
                found.append(source[0])
        elif name in DAYS:
            scope = text[source.end() :].partition("UNION ALL")[0]
            where = scope.partition("WHERE")[2]
            for comparison in (">=", "<=?"):
                bound = rf"(?:\w+\.)?\b{DAYS[name]} {comparison} {BOUND}"
                if not re.search(bound, where):
                    found.append(source[0])
        elif name not in WHOLE:
            found.append(source[0])
        if re.search(r"\bOR\b", text[source.end() :]):
            found.append(f"{source[0]} … OR")
    return found


@pytest.mark.parametrize("path", [*QUERIES, *FUNCTIONS], ids=lambda path: path.stem)
def test_every_source_is_held_to_the_days_that_are_named(path: Path) -> None:
    assert offences(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_begins_with_its_question_and_its_own_range_of_time(path: Path) -> None:
    sql = path.read_text("utf-8")
    assert re.match(r"-- [A-Z].*\?", sql)
    declared = {name: kind for name, kind, _ in DECLARED.findall(sql)}
    assert "TIMESTAMP" in declared.values()
    assert "SELECT *" not in sql
    assert without_comments(sql).count(";") == len(declared) + 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM encore.plays",
        "SELECT 1 FROM encore.plays WHERE event_id = 'a'",
        "SELECT 1 FROM encore.plays WHERE played_at >= since",
        "SELECT 1 FROM encore.plays WHERE published_at >= since AND published_at < until",
        "SELECT 1 FROM encore.plays_current WHERE played_at >= since AND played_at < until",
        "SELECT 1 FROM encore.plays_between(TIMESTAMP '2000-01-01', until)",
        "SELECT 1 FROM encore.plays WHERE played_at >= since AND played_at < until OR TRUE",
        "SELECT 1 FROM encore.customers JOIN encore.health ON TRUE",
    ],
)
def test_a_query_that_reads_more_is_found_out(sql: str) -> None:
    assert offences(sql)


def test_a_view_without_a_range_reads_through_the_function_that_has_one() -> None:
    for path in sorted((folder() / "views").glob("*_current.sql")):
        name = path.stem.removesuffix("_current")
        text = without_comments(path.read_text("utf-8"))
        expected = f"FROM encore.{name}" + ("" if name == "interests" else "_between(")
        assert expected in text
        assert text.count("FROM encore.") == 1
