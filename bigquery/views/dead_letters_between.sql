-- One row a refused event: of its copies the first received.
-- Scans only the days from `first` to before `end`.
CREATE OR REPLACE TABLE FUNCTION encore.dead_letters_between(`first` TIMESTAMP, `end` TIMESTAMP)
AS (
  SELECT *
  FROM encore.dead_letters
  WHERE received_at >= `first` AND received_at < `end`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY received_at) = 1
);
