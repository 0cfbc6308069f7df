CREATE TABLE IF NOT EXISTS encore.profiles (
  customer_id INT64 NOT NULL OPTIONS (description = "The listener."),
  day DATE NOT NULL OPTIONS (description = "The day of published_at, UTC."),
  plays INT64 NOT NULL OPTIONS (description = "Plays."),
  morning INT64 NOT NULL OPTIONS (description = "Plays from 05:00 to 12:00, the listener's own hour."),
  afternoon INT64 NOT NULL OPTIONS (description = "Plays from 12:00 to 17:00, the listener's own hour."),
  evening INT64 NOT NULL OPTIONS (description = "Plays from 17:00 to 22:00, the listener's own hour."),
  night INT64 NOT NULL OPTIONS (description = "Plays from 22:00 to 05:00, the listener's own hour."),
  mobile INT64 NOT NULL OPTIONS (description = "Plays on a phone."),
  distinct_tracks INT64 NOT NULL OPTIONS (description = "Distinct tracks."),
  tracks BYTES NOT NULL OPTIONS (description = "The distinct tracks as a serialised 64-bit Roaring bitmap.")
)
PARTITION BY day
CLUSTER BY customer_id
OPTIONS (
  description = "What each customer listened to on a closed day; a day's partition is replaced whole.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
