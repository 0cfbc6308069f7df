-- One row a window, dimension and key: of its counts the last, which is the largest.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.listening_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT *
  FROM encore.listening
  WHERE window_end >= since AND window_end < until
  QUALIFY ROW_NUMBER() OVER (PARTITION BY window_end, window_start, dimension, key ORDER BY plays DESC, listeners DESC) = 1
);
