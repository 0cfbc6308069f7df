-- How much is listened, five minutes by five minutes? Set `dimension_name` to all, device, gender,
-- age_band, level, state, track or artist. One row a window and key; late plays are not in it.
DECLARE since TIMESTAMP DEFAULT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY);
DECLARE until TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
DECLARE dimension_name STRING DEFAULT 'all';
DECLARE window_minutes INT64 DEFAULT 5;

SELECT
  window_start,
  window_end,
  key,
  plays,
  listeners
FROM encore.listening_between(since, until)
WHERE dimension = dimension_name
  AND TIMESTAMP_DIFF(window_end, window_start, MINUTE) = window_minutes
ORDER BY window_end DESC, plays DESC, key;
