DROP TABLE gap_questions;
DROP TABLE gaps;
