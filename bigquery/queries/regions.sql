-- Where do people listen? Plays, listeners, share of plays on a phone and the artist most played,
-- by state.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

WITH by_artist AS (
  SELECT
    IFNULL(state, 'unknown') AS state,
    artist,
    COUNT(*) AS plays
  FROM encore.plays_between(since, until)
  GROUP BY 1, 2
),
favourite AS (
  SELECT state, artist
  FROM by_artist
  WHERE artist IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY state ORDER BY plays DESC, artist) = 1
),
by_state AS (
  SELECT
    IFNULL(state, 'unknown') AS state,
    COUNT(*) AS plays,
    COUNT(DISTINCT customer_id) AS listeners,
    ROUND(COUNTIF(is_mobile) / COUNT(*), 4) AS mobile_share
  FROM encore.plays_between(since, until)
  GROUP BY 1
)
SELECT
  by_state.state,
  by_state.plays,
  by_state.listeners,
  by_state.mobile_share,
  favourite.artist AS favourite_artist
FROM by_state
LEFT JOIN favourite ON favourite.state = by_state.state
ORDER BY plays DESC, state;
