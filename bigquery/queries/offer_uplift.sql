-- Does an offer change anything? Customers who upgraded within 24 hours of the decision, among those
-- who could see the offer and among those held out; `uplift` is the difference, `plus_minus` half
-- its 95 % interval (normal approximation). Only decisions whose 24 hours are over.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 28 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

WITH arms AS (
  SELECT
    offer,
    COUNTIF(NOT held_out) AS treated,
    COUNTIF(held_out) AS held_out,
    COUNTIF(upgraded AND NOT held_out) AS treated_upgraded,
    COUNTIF(upgraded AND held_out) AS held_out_upgraded
  FROM encore.upgrades_between(since, until)
  GROUP BY 1
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
ORDER BY offer;
