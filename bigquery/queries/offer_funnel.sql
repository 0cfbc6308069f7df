-- What becomes of each offer? Customers chosen, held out, and by the offer's own events: who saw it,
-- clicked it and upgraded; the rates are of the step before.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 28 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

WITH decisions AS (
  SELECT
    offer,
    COUNT(*) AS chosen,
    COUNTIF(channel = 'holdout') AS held_out,
    COUNTIF(explore) AS explored
  FROM encore.targets_between(since, until)
  GROUP BY offer
),
steps AS (
  SELECT
    SPLIT(offer_id, ':')[OFFSET(0)] AS offer,
    COUNT(DISTINCT IF(action = 'shown', customer_id, NULL)) AS shown,
    COUNT(DISTINCT IF(action = 'clicked', customer_id, NULL)) AS clicked,
    COUNT(DISTINCT IF(action = 'upgraded', customer_id, NULL)) AS upgraded
  FROM encore.ad_events_between(since, until)
  WHERE offer_id IS NOT NULL
  GROUP BY offer
)
SELECT
  offer,
  IFNULL(chosen, 0) AS chosen,
  IFNULL(held_out, 0) AS held_out,
  IFNULL(explored, 0) AS explored,
  IFNULL(shown, 0) AS shown,
  IFNULL(clicked, 0) AS clicked,
  IFNULL(upgraded, 0) AS upgraded,
  ROUND(SAFE_DIVIDE(shown, chosen - held_out), 4) AS shown_rate,
  ROUND(SAFE_DIVIDE(clicked, shown), 4) AS click_rate,
  ROUND(SAFE_DIVIDE(upgraded, clicked), 4) AS upgrade_rate
FROM decisions
FULL JOIN steps USING (offer)
ORDER BY offer;
