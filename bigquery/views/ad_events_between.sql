-- One row an ad event: of its copies the first published.
-- Scans only the days from `first` to before `end`.
CREATE OR REPLACE TABLE FUNCTION encore.ad_events_between(`first` TIMESTAMP, `end` TIMESTAMP)
AS (
  SELECT *
  FROM encore.ad_events
  WHERE at >= `first` AND at < `end`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, event_id, at ORDER BY published_at) = 1
);
