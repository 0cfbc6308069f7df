CREATE TABLE IF NOT EXISTS encore.listening (
  window_start TIMESTAMP NOT NULL OPTIONS (description = "The first moment of the window."),
  window_end TIMESTAMP NOT NULL OPTIONS (description = "The first moment after the window, 5 or 30 minutes later."),
  dimension STRING NOT NULL OPTIONS (description = "all, device, gender, age_band, level, state, track or artist."),
  key STRING NOT NULL OPTIONS (description = "The value of the dimension; unknown where a trait is not known."),
  plays INT64 NOT NULL OPTIONS (description = "Plays in the window."),
  listeners INT64 NOT NULL OPTIONS (description = "Distinct customers among them.")
)
PARTITION BY DATE(window_end)
CLUSTER BY dimension, key
OPTIONS (
  description = "Plays and distinct listeners by window, dimension and key, each time they grew; listening_current and listening_between hold the final counts.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
