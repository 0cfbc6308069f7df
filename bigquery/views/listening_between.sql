-- One row a window, dimension and key: of its counts the last, which is the largest.
-- Scans only the days from `first` to before `end`.
CREATE OR REPLACE TABLE FUNCTION encore.listening_between(`first` TIMESTAMP, `end` TIMESTAMP)
AS (
  SELECT *
  FROM encore.listening
  WHERE window_end >= `first` AND window_end < `end`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY window_end, window_start, dimension, key ORDER BY plays DESC, listeners DESC) = 1
);
