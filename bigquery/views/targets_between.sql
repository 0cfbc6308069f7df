-- One row a customer and offer.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.targets_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT *
  FROM encore.targets
  WHERE decided_at >= since AND decided_at < until
  QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, offer, decided_at ORDER BY explore, channel) = 1
);
