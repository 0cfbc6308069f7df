-- What does each group play most? Set `trait` to device, gender, age_band, level, campaign or state.
-- One row a value of the trait and rank: the track, its plays and its listeners.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
DECLARE trait STRING DEFAULT 'gender';
DECLARE tracks INT64 DEFAULT 10;

WITH counted AS (
  SELECT
    IFNULL(
      CASE trait
        WHEN 'device' THEN IF(is_mobile, 'mobile', 'pc')
        WHEN 'gender' THEN gender
        WHEN 'age_band' THEN age_band
        WHEN 'level' THEN level
        WHEN 'campaign' THEN campaign
        WHEN 'state' THEN state
        ELSE ERROR('trait is device, gender, age_band, level, campaign or state')
      END,
      'unknown'
    ) AS value,
    track_id,
    MAX(title) AS title,
    MAX(artist) AS artist,
    COUNT(*) AS plays,
    COUNT(DISTINCT customer_id) AS listeners
  FROM encore.plays_between(since, until)
  GROUP BY 1, 2
)
SELECT
  value,
  ROW_NUMBER() OVER (PARTITION BY value ORDER BY plays DESC, listeners DESC, track_id) AS position,
  track_id,
  title,
  artist,
  plays,
  listeners
FROM counted
WHERE TRUE
QUALIFY position <= tracks
ORDER BY value, position;
