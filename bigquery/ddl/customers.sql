CREATE TABLE IF NOT EXISTS encore.customers (
  customer_id INT64 NOT NULL OPTIONS (description = "The customer."),
  gender STRING OPTIONS (description = "male or female; null if unknown."),
  age INT64 OPTIONS (description = "Years; null if unknown."),
  zip STRING OPTIONS (description = "Five digits: where the customer lives."),
  level STRING OPTIONS (description = "free, silver or gold."),
  status STRING OPTIONS (description = "active or closed."),
  campaign STRING OPTIONS (description = "How the customer joined: NONE, 30DAYFREE, SUPERBOWL, RETAILSTORE or WEBOFFER.")
)
CLUSTER BY customer_id
OPTIONS (
  description = "Traits of customers, without names, addresses or phones; replaced whole with each load of the reference data."
);
