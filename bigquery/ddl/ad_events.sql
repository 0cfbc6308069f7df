CREATE TABLE IF NOT EXISTS encore.ad_events (
  event_id STRING NOT NULL OPTIONS (description = "Unique per ad event of a customer; a retry carries the same id."),
  customer_id INT64 NOT NULL OPTIONS (description = "The listener."),
  ad STRING NOT NULL OPTIONS (description = "Which ad, for example ADV_REDUCED_1DAY."),
  action STRING NOT NULL OPTIONS (description = "shown, clicked or upgraded."),
  offer_id STRING OPTIONS (description = "The offer it belongs to, \"{offer}:{customer_id}\"; null for other ads."),
  at TIMESTAMP NOT NULL OPTIONS (description = "When it happened, by the listener's clock."),
  published_at TIMESTAMP NOT NULL OPTIONS (description = "When it reached ingest, or was replayed."),
  is_late BOOL NOT NULL OPTIONS (description = "Published more than two hours after it happened.")
)
PARTITION BY DATE(at)
CLUSTER BY customer_id, offer_id
OPTIONS (
  description = "Every accepted ad event; ad_events_current and ad_events_between hold one row an event.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
