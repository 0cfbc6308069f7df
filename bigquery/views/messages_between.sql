-- One row a message: the latest that became of it in the range.
-- Scans only the days from `first` to before `end`.
CREATE OR REPLACE TABLE FUNCTION encore.messages_between(`first` TIMESTAMP, `end` TIMESTAMP)
AS (
  SELECT *
  FROM encore.messages
  WHERE at >= `first` AND at < `end`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY message_id ORDER BY at DESC, attempts DESC) = 1
);
