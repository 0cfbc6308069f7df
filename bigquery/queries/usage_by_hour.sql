-- How is the service used through the listener's own day, on which device and by whom?
-- One row an hour of day, 0 to 23: plays, listeners, share of plays on a phone, share of plays by
-- women among those of known gender, average age by play.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

SELECT
  local_hour,
  COUNT(*) AS plays,
  COUNT(DISTINCT customer_id) AS listeners,
  ROUND(COUNTIF(is_mobile) / COUNT(*), 4) AS mobile_share,
  ROUND(SAFE_DIVIDE(COUNTIF(gender = 'female'), COUNT(gender)), 4) AS female_share,
  ROUND(AVG(age), 1) AS average_age
FROM encore.plays_between(since, until)
GROUP BY local_hour
ORDER BY local_hour;
