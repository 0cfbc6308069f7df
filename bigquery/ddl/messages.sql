CREATE TABLE IF NOT EXISTS encore.messages (
  message_id STRING NOT NULL OPTIONS (description = "The message."),
  customer_id INT64 NOT NULL OPTIONS (description = "The recipient."),
  offer STRING NOT NULL OPTIONS (description = "The offer's id."),
  status STRING NOT NULL OPTIONS (description = "The message's state, for example sent, refused or unknown."),
  reason STRING OPTIONS (description = "Why, where it was not sent."),
  attempts INT64 NOT NULL OPTIONS (description = "How often it was tried."),
  at TIMESTAMP NOT NULL OPTIONS (description = "When it came to this state.")
)
PARTITION BY DATE(at)
CLUSTER BY customer_id, offer
OPTIONS (
  description = "What became of each SMS, at each step; messages_current and messages_between hold the latest.",
  partition_expiration_days = 400,
  require_partition_filter = true
);
