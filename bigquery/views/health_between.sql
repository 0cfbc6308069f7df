-- One row a minute: of its counts the last, which is the largest.
-- Scans only the days from `first` to before `end`.
CREATE OR REPLACE TABLE FUNCTION encore.health_between(`first` TIMESTAMP, `end` TIMESTAMP)
AS (
  SELECT *
  FROM encore.health
  WHERE minute >= `first` AND minute < `end`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY minute ORDER BY received DESC, duplicate DESC) = 1
);
