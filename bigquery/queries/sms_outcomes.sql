-- What became of the messages? By offer, state and reason: messages, and tries in all.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

SELECT
  offer,
  status,
  IFNULL(reason, '') AS reason,
  COUNT(*) AS messages,
  SUM(attempts) AS attempts
FROM encore.messages_between(since, until)
GROUP BY offer, status, reason
ORDER BY offer, messages DESC, status, reason;
