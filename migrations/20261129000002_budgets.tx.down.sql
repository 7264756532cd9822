ALTER TABLE letters DROP COLUMN budget;
ALTER TABLE messages DROP COLUMN held;
ALTER TABLE messages DROP COLUMN key_id;
DROP TABLE spendings;
DROP TABLE budgets;
DROP TABLE usages;
