-- One row a refused event: of its copies the first received.
-- Name the days you want: without a filter every day is scanned.
CREATE OR REPLACE VIEW encore.dead_letters_current
AS
SELECT *
FROM encore.dead_letters_between(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01');
