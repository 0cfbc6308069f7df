-- Where is my event? Set `sought` to its event_id; one row for each place that holds it, with the copies
-- that were appended there, and why it was refused if it was.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 30 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
DECLARE sought STRING DEFAULT 'the-event-id';

SELECT
  'plays' AS place,
  customer_id,
  played_at AS at,
  MIN(published_at) AS published_at,
  COUNT(*) AS copies,
  CONCAT('joined ', CAST(MAX(joined) AS STRING), ' of 2', IF(LOGICAL_OR(is_late), ', late', '')) AS note
FROM encore.plays
WHERE played_at >= since AND played_at < until AND event_id = sought
GROUP BY customer_id, played_at
UNION ALL
SELECT
  'ad_events' AS place,
  customer_id,
  at,
  MIN(published_at) AS published_at,
  COUNT(*) AS copies,
  CONCAT(MAX(action), IF(LOGICAL_OR(is_late), ', late', '')) AS note
FROM encore.ad_events
WHERE at >= since AND at < until AND event_id = sought
GROUP BY customer_id, at
UNION ALL
SELECT
  'dead_letters' AS place,
  NULL AS customer_id,
  NULL AS at,
  received_at AS published_at,
  1 AS copies,
  CONCAT(reason, ': ', IFNULL(detail, '')) AS note
FROM encore.dead_letters_between(since, until)
WHERE STRPOS(SAFE_CONVERT_BYTES_TO_STRING(payload), sought) > 0
ORDER BY place, published_at;
