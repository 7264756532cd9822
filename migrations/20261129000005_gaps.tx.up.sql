-- What a bot could not answer: questions that ask for the same thing are one gap. A gap without questions is removed.
CREATE TABLE gaps (
  id {{.PK}},
  bot_id BIGINT NOT NULL REFERENCES bots (id),
  status TEXT NOT NULL,
  model TEXT NOT NULL,             -- that the centre is of; '' where it has none
  centre {{.Bytes}},               -- the mean direction of the vectors that are kept
  representative BIGINT NOT NULL,  -- the question that is nearest to the centre
  questions INTEGER NOT NULL,
  unanswered INTEGER NOT NULL,     -- all but those that were answered when they were asked again
  not_found INTEGER NOT NULL,
  rated_down INTEGER NOT NULL,
  people INTEGER NOT NULL,
  first_asked_at {{.TS}} NOT NULL,
  last_asked_at {{.TS}} NOT NULL,
  run BIGINT NOT NULL,             -- counts how often it was answered, and fences who asks again
  document_id BIGINT,              -- what was made of the last answer to it
  check_total INTEGER NOT NULL,    -- questions that are asked again in this run
  check_done INTEGER NOT NULL,
  check_answered INTEGER NOT NULL,
  check_tokens BIGINT NOT NULL,
  check_tries INTEGER NOT NULL DEFAULT 0, -- how often the question that is asked now could not be
  held {{.JSON}},                  -- what is held of budgets for the question that is asked again now
  held_at {{.TS}},
  problem TEXT NOT NULL,           -- why the answer did not close it; '' where it did, or is not known yet
  check_began_at {{.TS}},
  check_ended_at {{.TS}},
  created_at {{.TS}} NOT NULL
);
CREATE INDEX gaps_by_weight ON gaps (bot_id, unanswered, id);
CREATE INDEX gaps_by_time ON gaps (bot_id, last_asked_at, id);

-- The questions. What they say is in the messages alone.
CREATE TABLE gap_questions (
  message_id BIGINT PRIMARY KEY,   -- of the person; so that no question is counted twice
  bot_id BIGINT NOT NULL,
  gap_id BIGINT REFERENCES gaps (id), -- null until it is compared with the others
  sender_id BIGINT NOT NULL,
  not_found BOOLEAN NOT NULL,
  rated_down BOOLEAN NOT NULL,
  asked_at {{.TS}} NOT NULL,
  kept BOOLEAN NOT NULL,           -- its vector is, for the centre
  model TEXT NOT NULL,             -- that the vector is of; '' while there is none to be
  vector {{.Bytes}},
  check_run BIGINT NOT NULL,       -- the last run of the gap in which it is asked again; 0: none
  verdict TEXT NOT NULL,           -- what came of it when it was asked again last: ANSWERED, UNANSWERED; '' where it never was
  verdict_run BIGINT NOT NULL DEFAULT 0 -- in which run that was
);
CREATE INDEX gap_questions_of_gap ON gap_questions (gap_id, message_id);
CREATE INDEX gap_questions_of_gap_by_time ON gap_questions (gap_id, asked_at);
CREATE INDEX gap_questions_by_time ON gap_questions (bot_id, asked_at);
CREATE INDEX gap_questions_to_place ON gap_questions (bot_id) WHERE gap_id IS NULL;
CREATE INDEX gap_questions_by_model ON gap_questions (model, bot_id) WHERE kept;

-- What was asked so far.
INSERT INTO gap_questions (message_id, bot_id, sender_id, not_found, rated_down, asked_at, kept, model, check_run, verdict)
SELECT q.id, c.bot_id, q.sender_id, a.grounding IS NOT NULL AND a.grounding = 'NOT_FOUND',
  a.feedback IS NOT NULL AND a.feedback ->> 'rating' = 'DOWN', q.created_at, {{if .PG}}TRUE{{else}}1{{end}}, '', 0, ''
FROM messages AS a JOIN messages AS q ON q.id = a.parent_id JOIN conversations AS c ON c.id = a.conversation_id
WHERE c.deleted_at IS NULL AND NOT a.superseded AND (a.grounding = 'NOT_FOUND' OR a.feedback ->> 'rating' = 'DOWN');
