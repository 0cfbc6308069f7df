-- One row a play: of its copies the one that knew most of customer and track, then the first published.
-- Scans only the days from `first` to before `end`.
CREATE OR REPLACE TABLE FUNCTION encore.plays_between(`first` TIMESTAMP, `end` TIMESTAMP)
AS (
  SELECT *
  FROM encore.plays
  WHERE played_at >= `first` AND played_at < `end`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, event_id, played_at ORDER BY joined DESC, published_at) = 1
);
