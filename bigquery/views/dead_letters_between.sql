-- One row a refused event: of its copies the first received.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.dead_letters_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT *
  FROM encore.dead_letters
  WHERE received_at >= since AND received_at < until
  QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY received_at) = 1
);
