CREATE TABLE IF NOT EXISTS encore.interests (
  customer_id INT64 NOT NULL OPTIONS (description = "The listener."),
  track_id INT64 NOT NULL OPTIONS (description = "The track."),
  title STRING OPTIONS (description = "The track's title; null for an unknown track."),
  artist STRING OPTIONS (description = "The track's artist; null for an unknown track."),
  since TIMESTAMP NOT NULL OPTIONS (description = "The earliest play that had at least 3 plays in the 30 minutes up to it."),
  latest TIMESTAMP NOT NULL OPTIONS (description = "The latest such play."),
  peak INT64 NOT NULL OPTIONS (description = "The most plays in any 30 minutes.")
)
CLUSTER BY customer_id, track_id
OPTIONS (
  description = "Each growth of an interest: a track that a customer played at least 3 times within 30 minutes; interests_current holds the merged one."
);
