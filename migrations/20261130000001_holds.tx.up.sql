-- Until when nobody removes originals, since a backup reads them: a row for each backup that is under way.
CREATE TABLE holds (
  id {{.PK}},
  until {{.TS}} NOT NULL
);
