-- Does an offer work where the model expects it to? The uplift of `offer_uplift` by tenth of score;
-- band -1 is customers who were chosen without a score.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 28 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

WITH arms AS (
  SELECT
    offer,
    IFNULL(LEAST(CAST(FLOOR(score * 10) AS INT64), 9), -1) AS score_band,
    COUNTIF(NOT held_out) AS treated,
    COUNTIF(held_out) AS held_out,
    COUNTIF(upgraded AND NOT held_out) AS treated_upgraded,
    COUNTIF(upgraded AND held_out) AS held_out_upgraded
  FROM encore.upgrades_between(since, until)
  GROUP BY 1, 2
),
rates AS (
  SELECT
    *,
    SAFE_DIVIDE(treated_upgraded, treated) AS treated_rate,
    SAFE_DIVIDE(held_out_upgraded, held_out) AS held_out_rate
  FROM arms
)
SELECT
  offer,
  score_band,
  treated,
  held_out,
  ROUND(treated_rate, 4) AS treated_rate,
  ROUND(held_out_rate, 4) AS held_out_rate,
  ROUND(treated_rate - held_out_rate, 4) AS uplift,
  ROUND(
    1.96 * SQRT(
      SAFE_DIVIDE(treated_rate * (1 - treated_rate), treated)
      + SAFE_DIVIDE(held_out_rate * (1 - held_out_rate), held_out)
    ),
    4
  ) AS plus_minus
FROM rates
ORDER BY offer, score_band;
