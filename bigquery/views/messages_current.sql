-- One row a message: the latest that became of it.
-- Name the days you want: without a filter every day is scanned.
CREATE OR REPLACE VIEW encore.messages_current
AS
SELECT *
FROM encore.messages_between(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01');
