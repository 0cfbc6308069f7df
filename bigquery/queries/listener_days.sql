-- What was a listener's month like? Set `customer` to an id; one row a closed day.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 28 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
DECLARE customer INT64 DEFAULT 0;

SELECT
  day,
  plays,
  morning,
  afternoon,
  evening,
  night,
  ROUND(SAFE_DIVIDE(mobile, plays), 4) AS mobile_share,
  distinct_tracks
FROM encore.profiles
WHERE day >= DATE(since) AND day <= DATE(until) AND customer_id = customer
ORDER BY day;
