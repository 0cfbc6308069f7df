-- Is the data all right? By day of publication: what came, what became of it, and whether all of it
-- is accounted for (received = accepted + duplicate + rejected).
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

SELECT
  DATE(minute) AS day,
  SUM(received) AS received,
  SUM(accepted) AS accepted,
  SUM(duplicate) AS duplicate,
  SUM(rejected) AS rejected,
  SUM(late) AS late,
  SUM(unknown_customer) AS unknown_customer,
  SUM(unknown_track) AS unknown_track,
  ROUND(SAFE_DIVIDE(SUM(duplicate), SUM(received)), 4) AS duplicate_share,
  ROUND(SAFE_DIVIDE(SUM(rejected), SUM(received)), 4) AS rejected_share,
  ROUND(SAFE_DIVIDE(SUM(late), SUM(accepted)), 4) AS late_share,
  LOGICAL_AND(received = accepted + duplicate + rejected) AS accounted_for
FROM encore.health_between(since, until)
GROUP BY day
ORDER BY day;
