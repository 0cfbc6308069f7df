-- One row a customer and offer.
-- Scans only the days from `first` to before `end`.
CREATE OR REPLACE TABLE FUNCTION encore.targets_between(`first` TIMESTAMP, `end` TIMESTAMP)
AS (
  SELECT *
  FROM encore.targets
  WHERE decided_at >= `first` AND decided_at < `end`
  QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id, offer, decided_at ORDER BY explore, channel) = 1
);
