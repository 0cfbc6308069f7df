CREATE TABLE IF NOT EXISTS encore.targets (
  customer_id INT64 NOT NULL OPTIONS (description = "Who was chosen."),
  offer STRING NOT NULL OPTIONS (description = "The offer's id."),
  score FLOAT64 OPTIONS (description = "The model's probability of a click; null without a model."),
  model_version STRING OPTIONS (description = "The model that scored; null without one."),
  decided_at TIMESTAMP NOT NULL OPTIONS (description = "The published_at of the play that decided."),
  channel STRING NOT NULL OPTIONS (description = "screen: at login; sms: there and by text message; holdout: chosen and left alone, for comparison."),
  explore BOOL NOT NULL OPTIONS (description = "Chosen at random rather than by score.")
)
PARTITION BY DATE(decided_at)
CLUSTER BY offer, customer_id
OPTIONS (
  description = "Customers chosen for an offer, once per offer and customer; targets_current and targets_between hold one row each.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
