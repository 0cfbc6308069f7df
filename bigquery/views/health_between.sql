-- One row a minute: of its counts the last, which is the largest.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.health_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT *
  FROM encore.health
  WHERE minute >= since AND minute < until
  QUALIFY ROW_NUMBER() OVER (PARTITION BY minute ORDER BY received DESC, duplicate DESC) = 1
);
