-- One row a message: the latest that became of it in the range.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.messages_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT *
  FROM encore.messages
  WHERE at >= since AND at < until
  QUALIFY ROW_NUMBER() OVER (PARTITION BY message_id ORDER BY at DESC, attempts DESC) = 1
);
