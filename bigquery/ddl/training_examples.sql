CREATE TABLE IF NOT EXISTS encore.training_examples (
  shown_event_id STRING NOT NULL OPTIONS (description = "The ad event that showed the offer."),
  customer_id INT64 NOT NULL OPTIONS (description = "Who saw it."),
  ad STRING NOT NULL OPTIONS (description = "Which ad was shown."),
  shown_at TIMESTAMP NOT NULL OPTIONS (description = "When it was shown, by the listener's clock."),
  as_of DATE NOT NULL OPTIONS (description = "The published day of the showing, UTC; the features know only what was published before it."),
  morning_share FLOAT64 OPTIONS (description = "Share of the plays of 28 days that were in the morning; null if there were none."),
  afternoon_share FLOAT64 OPTIONS (description = "Share of plays in the afternoon."),
  evening_share FLOAT64 OPTIONS (description = "Share of plays in the evening."),
  night_share FLOAT64 OPTIONS (description = "Share of plays at night."),
  mobile_share FLOAT64 OPTIONS (description = "Share of plays on a phone."),
  distinct_share FLOAT64 OPTIONS (description = "Distinct tracks by plays."),
  clicked BOOL NOT NULL OPTIONS (description = "Clicked within an hour of being shown: the label."),
  explore BOOL OPTIONS (description = "Chosen at random rather than by score; null where the decision is not known."),
  feature_hash STRING OPTIONS (description = "The version of the feature definition; null without features.")
)
PARTITION BY as_of
CLUSTER BY customer_id
OPTIONS (
  description = "An offer that was shown, the features of the customer at that moment, and whether it was clicked; a day's partition is replaced whole.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
