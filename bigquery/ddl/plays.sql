CREATE TABLE IF NOT EXISTS encore.plays (
  event_id STRING NOT NULL OPTIONS (description = "Unique per play of a customer; a retry carries the same id."),
  customer_id INT64 NOT NULL OPTIONS (description = "The listener."),
  track_id INT64 NOT NULL OPTIONS (description = "The track."),
  played_at TIMESTAMP NOT NULL OPTIONS (description = "When the play began, by the listener's clock."),
  local_hour INT64 NOT NULL OPTIONS (description = "The listener's own hour of day at played_at, 0 to 23."),
  is_mobile BOOL NOT NULL OPTIONS (description = "On a phone (true) or a PC (false)."),
  zip STRING NOT NULL OPTIONS (description = "Five digits: where the listener was, a guess."),
  state STRING OPTIONS (description = "Two letters of the state of zip; null where there is no such zip."),
  location STRING OPTIONS (description = "\"latitude,longitude\" of zip; null where there is no such zip."),
  title STRING OPTIONS (description = "The track's title; null for an unknown track."),
  artist STRING OPTIONS (description = "The track's artist; null for an unknown track."),
  length_s INT64 OPTIONS (description = "The track's length in seconds."),
  gender STRING OPTIONS (description = "male or female; null if unknown."),
  age INT64 OPTIONS (description = "Years; null if unknown."),
  age_band STRING OPTIONS (description = "0-17, 18-24, 25-34, 35-44, 45-54, 55-64 or 65+."),
  level STRING OPTIONS (description = "The customer's level when the play was joined: free, silver or gold."),
  campaign STRING OPTIONS (description = "How the customer joined: NONE, 30DAYFREE, SUPERBOWL, RETAILSTORE or WEBOFFER."),
  published_at TIMESTAMP NOT NULL OPTIONS (description = "When the play reached ingest, or was replayed."),
  is_late BOOL NOT NULL OPTIONS (description = "Published more than two hours after it was played: in no window and no interest."),
  joined INT64 NOT NULL OPTIONS (description = "How many of customer and track were known: 0, 1 or 2.")
)
PARTITION BY DATE(played_at)
CLUSTER BY customer_id, track_id
OPTIONS (
  description = "Every accepted play, as it was joined; plays_current and plays_between hold one row an event.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
