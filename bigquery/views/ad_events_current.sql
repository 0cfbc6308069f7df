-- One row an ad event: of its copies the first published.
-- Name the days you want: without a filter every day is scanned.
CREATE OR REPLACE VIEW encore.ad_events_current
AS
SELECT *
FROM encore.ad_events_between(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01');
