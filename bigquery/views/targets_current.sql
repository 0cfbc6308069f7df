-- One row a customer and offer.
-- Name the days you want: without a filter every day is scanned.
CREATE OR REPLACE VIEW encore.targets_current
AS
SELECT *
FROM encore.targets_between(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01');
