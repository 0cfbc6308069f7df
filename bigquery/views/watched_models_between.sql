-- How good each model was, day by day, on what happened after it had scored: one row a model and day
-- of offers shown. `error` and `calibration` (mean score / click rate) are of everybody who was scored
-- and shown the offer; `explored_error` and `explored_calibration` of those drawn at random among
-- them, which alone say how good the model would be on anybody.
-- Scans only the days from `since` to before `until`, and the 60 days of decisions before them.
CREATE OR REPLACE TABLE FUNCTION encore.watched_models_between(since TIMESTAMP, until TIMESTAMP)
AS (
  WITH scored AS (
    SELECT
      target.model_version,
      example.as_of AS day,
      target.explore,
      target.score,
      IF(example.clicked, 1.0, 0.0) AS clicked
    FROM encore.training_examples AS example
    JOIN encore.ad_events_between(TIMESTAMP_SUB(since, INTERVAL 31 DAY), until) AS event
      ON event.customer_id = example.customer_id AND event.event_id = example.shown_event_id
    JOIN encore.targets_between(TIMESTAMP_SUB(since, INTERVAL 60 DAY), until) AS target
      ON target.customer_id = example.customer_id
        AND CONCAT(target.offer, ':', CAST(target.customer_id AS STRING)) = event.offer_id
    WHERE example.as_of >= DATE(since) AND example.as_of < DATE(until)
      AND target.score IS NOT NULL
  )
  SELECT
    model_version,
    day,
    COUNT(*) AS examples,
    AVG(clicked) AS click_rate,
    AVG(score) AS mean_score,
    AVG(IF((score >= 0.5) = (clicked = 1.0), 0.0, 1.0)) AS error,
    AVG(POW(score - clicked, 2)) AS brier,
    SAFE_DIVIDE(AVG(score), AVG(clicked)) AS calibration,
    COUNTIF(explore) AS explored,
    AVG(IF(explore, IF((score >= 0.5) = (clicked = 1.0), 0.0, 1.0), NULL)) AS explored_error,
    SAFE_DIVIDE(AVG(IF(explore, score, NULL)), AVG(IF(explore, clicked, NULL))) AS explored_calibration
  FROM scored
  GROUP BY model_version, day
);
