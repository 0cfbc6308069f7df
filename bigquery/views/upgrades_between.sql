-- One row a customer and offer whose 24 hours are over by `until`: whether the customer was held out,
-- and whether the customer upgraded within 24 hours of the decision.
-- Scans only the days from `since` to before `until`.
CREATE OR REPLACE TABLE FUNCTION encore.upgrades_between(since TIMESTAMP, until TIMESTAMP)
AS (
  SELECT
    target.offer,
    target.customer_id,
    target.decided_at,
    target.score,
    target.model_version,
    target.explore,
    target.channel = 'holdout' AS held_out,
    IFNULL(LOGICAL_OR(event.at IS NOT NULL), FALSE) AS upgraded
  FROM encore.targets_between(since, until) AS target
  LEFT JOIN encore.ad_events_between(since, until) AS event
    ON event.customer_id = target.customer_id
      AND event.action = 'upgraded'
      AND event.at >= target.decided_at
      AND event.at < TIMESTAMP_ADD(target.decided_at, INTERVAL 24 HOUR)
  WHERE target.decided_at <= TIMESTAMP_SUB(until, INTERVAL 24 HOUR)
  GROUP BY
    target.offer,
    target.customer_id,
    target.decided_at,
    target.score,
    target.model_version,
    target.explore,
    target.channel
);
