CREATE TABLE IF NOT EXISTS encore.dead_letters (
  id STRING NOT NULL OPTIONS (description = "The message or file, and the line in it."),
  received_at TIMESTAMP NOT NULL OPTIONS (description = "When it came in."),
  source STRING NOT NULL OPTIONS (description = "Where it came from: ingest, a file, or the store that refused it."),
  reason STRING NOT NULL OPTIONS (description = "Why, in one word."),
  detail STRING OPTIONS (description = "Why, in a sentence."),
  payload BYTES OPTIONS (description = "What was refused, cut at a few KiB."),
  attributes STRING OPTIONS (description = "The message's attributes, a JSON object.")
)
PARTITION BY DATE(received_at)
CLUSTER BY reason, source
OPTIONS (
  description = "Events and rows that were refused, kept for 30 days to be understood and replayed; dead_letters_current holds one row each.",
  partition_expiration_days = 30,
  require_partition_filter = true
);
