CREATE TABLE IF NOT EXISTS encore.health (
  minute TIMESTAMP NOT NULL OPTIONS (description = "The first moment of the minute of published_at."),
  received INT64 NOT NULL OPTIONS (description = "Events received: plays, ad events and refused lines."),
  accepted INT64 NOT NULL OPTIONS (description = "Events accepted."),
  duplicate INT64 NOT NULL OPTIONS (description = "Copies of an event that was there already."),
  rejected INT64 NOT NULL OPTIONS (description = "Events refused."),
  late INT64 NOT NULL OPTIONS (description = "Accepted ones that came more than two hours late."),
  unknown_customer INT64 NOT NULL OPTIONS (description = "Accepted plays of customers that are not in the reference data."),
  unknown_track INT64 NOT NULL OPTIONS (description = "Accepted plays of tracks that are not in the reference data.")
)
PARTITION BY DATE(minute)
CLUSTER BY minute
OPTIONS (
  description = "Events by the minute they were published in, each time a count grew; health_current and health_between hold the final counts. received = accepted + duplicate + rejected.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
