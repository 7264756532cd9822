DROP INDEX messages_by_time;
DROP TABLE rollups_until;
DROP TABLE rollups_due;
DROP TABLE rollups;
