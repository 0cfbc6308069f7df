-- How good is each model on what happened since? Offers that were shown to customers it scored, by
-- model and day: clicks, mean score, error at the even threshold, Brier score and its skill against
-- always saying the base rate, and calibration (mean score / click rate).
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

WITH scored AS (
  SELECT
    target.model_version,
    example.as_of AS day,
    target.score,
    CAST(example.clicked AS INT64) AS clicked
  FROM encore.training_examples AS example
  JOIN encore.ad_events_between(TIMESTAMP_SUB(since, INTERVAL 31 DAY), until) AS event
    ON event.event_id = example.shown_event_id AND event.customer_id = example.customer_id
  JOIN encore.targets_between(TIMESTAMP_SUB(since, INTERVAL 31 DAY), until) AS target
    ON target.customer_id = example.customer_id
      AND event.offer_id = CONCAT(target.offer, ':', CAST(target.customer_id AS STRING))
  WHERE example.as_of >= DATE(since) AND example.as_of <= DATE(until)
    AND target.score IS NOT NULL
),
measured AS (
  SELECT
    model_version,
    day,
    COUNT(*) AS shown,
    SUM(clicked) AS clicked,
    AVG(clicked) AS click_rate,
    AVG(score) AS mean_score,
    AVG(IF((score >= 0.5) = (clicked = 1), 0, 1)) AS error,
    AVG(POW(score - clicked, 2)) AS brier
  FROM scored
  GROUP BY model_version, day
)
SELECT
  model_version,
  day,
  shown,
  clicked,
  ROUND(click_rate, 4) AS click_rate,
  ROUND(mean_score, 4) AS mean_score,
  ROUND(error, 4) AS error,
  ROUND(brier, 4) AS brier,
  ROUND(1 - SAFE_DIVIDE(brier, click_rate * (1 - click_rate)), 4) AS brier_skill,
  ROUND(SAFE_DIVIDE(mean_score, click_rate), 4) AS calibration
FROM measured
ORDER BY model_version, day;
