-- One row an ad event: of its copies the first published.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.ad_events_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT *
  FROM encore.ad_events
  WHERE at >= since AND at < until
  QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, event_id, at ORDER BY published_at) = 1
);
