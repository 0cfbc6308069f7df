-- Why are events refused? By source and reason: how many, when last, and an example.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

SELECT
  source,
  reason,
  COUNT(*) AS refused,
  MAX(received_at) AS last_received,
  ANY_VALUE(detail HAVING MAX received_at) AS last_detail
FROM encore.dead_letters_between(since, until)
GROUP BY source, reason
ORDER BY refused DESC, source, reason;
