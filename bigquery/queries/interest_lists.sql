-- Which tracks has each customer taken to (played at least 3 times within 30 minutes)?
-- One row a customer and track whose latest such play was in the range, the newest first.
DECLARE range_start TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE range_end TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

SELECT
  customer_id,
  track_id,
  title,
  artist,
  since AS interested_since,
  latest,
  peak
FROM encore.interests_current
WHERE latest >= range_start AND latest < range_end
ORDER BY customer_id, latest DESC, track_id;
