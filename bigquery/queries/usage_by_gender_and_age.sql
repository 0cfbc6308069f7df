-- Who listens? Plays, listeners and share of plays on a phone, by gender and age band.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

SELECT
  IFNULL(gender, 'unknown') AS gender,
  IFNULL(age_band, 'unknown') AS age_band,
  COUNT(*) AS plays,
  COUNT(DISTINCT customer_id) AS listeners,
  ROUND(COUNTIF(is_mobile) / COUNT(*), 4) AS mobile_share
FROM encore.plays_between(since, until)
GROUP BY 1, 2
ORDER BY gender, age_band;
