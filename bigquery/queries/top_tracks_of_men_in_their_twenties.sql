-- What do men in their twenties play most?
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

SELECT
  track_id,
  MAX(title) AS title,
  MAX(artist) AS artist,
  COUNT(*) AS plays,
  COUNT(DISTINCT customer_id) AS listeners
FROM encore.plays_between(since, until)
WHERE gender = 'male' AND age BETWEEN 20 AND 29
GROUP BY track_id
ORDER BY plays DESC, listeners DESC, track_id
LIMIT 20;
