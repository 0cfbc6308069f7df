CREATE TABLE IF NOT EXISTS encore.tracks (
  track_id INT64 NOT NULL OPTIONS (description = "The track."),
  title STRING OPTIONS (description = "Its title."),
  artist STRING OPTIONS (description = "Its artist."),
  length_s INT64 OPTIONS (description = "Its length in seconds.")
)
CLUSTER BY track_id
OPTIONS (
  description = "The catalogue; replaced whole with each load of the reference data."
);
