CREATE TABLE IF NOT EXISTS encore.training_examples (
  shown_event_id STRING NOT NULL OPTIONS (description = "The ad event that showed the offer."),
  customer_id INT64 NOT NULL OPTIONS (description = "Who saw it."),
  ad STRING NOT NULL OPTIONS (description = "Which ad was shown."),
  shown_at TIMESTAMP NOT NULL OPTIONS (description = "When it was shown."),
  as_of TIMESTAMP NOT NULL OPTIONS (description = "The features know only what was published before this moment."),
  morning FLOAT64 OPTIONS (description = "Share of plays in the morning."),
  afternoon FLOAT64 OPTIONS (description = "Share of plays in the afternoon."),
  evening FLOAT64 OPTIONS (description = "Share of plays in the evening."),
  night FLOAT64 OPTIONS (description = "Share of plays at night."),
  mobile FLOAT64 OPTIONS (description = "Share of plays on a phone."),
  distinct_tracks FLOAT64 OPTIONS (description = "Distinct tracks by plays."),
  clicked BOOL NOT NULL OPTIONS (description = "Clicked within an hour of being shown: the label."),
  explore BOOL NOT NULL OPTIONS (description = "Shown to a random share of customers, model or no model."),
  feature_hash STRING NOT NULL OPTIONS (description = "The version of the feature definition.")
)
PARTITION BY DATE(shown_at)
CLUSTER BY customer_id
OPTIONS (
  description = "An offer that was shown, the features of the customer at that moment, and whether it was clicked; a day's partition is replaced whole.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
