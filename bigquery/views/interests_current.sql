-- One row a customer and track: its records merged, smallest since, largest latest and peak.
-- Clustered by customer: name some, and little else is read.
CREATE OR REPLACE VIEW encore.interests_current
AS
SELECT
  customer_id,
  track_id,
  ANY_VALUE(title HAVING MAX IF(title IS NULL, NULL, latest)) AS title,
  ANY_VALUE(artist HAVING MAX IF(artist IS NULL, NULL, latest)) AS artist,
  MIN(since) AS since,
  MAX(latest) AS latest,
  MAX(peak) AS peak
FROM encore.interests
GROUP BY customer_id, track_id;
