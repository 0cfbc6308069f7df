-- One row a play: of its copies the one that knew most of customer and track, then the first published.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.plays_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT *
  FROM encore.plays
  WHERE played_at >= since AND played_at < until
  QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, event_id, played_at ORDER BY joined DESC, published_at) = 1
);
