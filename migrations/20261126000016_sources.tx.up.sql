-- What an answer is made from: a list of the keys of all chunks that were in its prompt, and of those that the answers in
-- its history were made from. An answer of which any is live no more reaches no prompt again. NULL is for answers of
-- before, and for those that nothing is written of yet: such go by their citations.
ALTER TABLE messages ADD COLUMN sources {{.JSON}};
