-- Which tracks catch people? Customers with an interest in each track, and how strong it is.
DECLARE range_start TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);

SELECT
  track_id,
  MAX(title) AS title,
  MAX(artist) AS artist,
  COUNT(*) AS interested_customers,
  COUNTIF(latest >= range_start) AS lately,
  MAX(peak) AS highest_peak
FROM encore.interests_current
GROUP BY track_id
ORDER BY interested_customers DESC, lately DESC, track_id
LIMIT 50;
