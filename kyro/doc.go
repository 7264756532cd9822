// Package kyro is the centre of KyroChat: its nouns, their limits and rules, and nothing that touches a
// database, a network or a clock. Everything else imports it; it imports the standard library only.
//
// The words, each used for one thing everywhere:
//
//	User          a person with an account
//	Account       what a user has here, as whoever runs the server sees it
//	Viewer        who is asking: a user or nobody; always an explicit argument
//	Bot           instructions, model settings and knowledge under one owner
//	Document      one source of knowledge (file, URL, text, Q&A pair); has versions
//	Chunk         a passage of a document version: the unit of retrieval and of citation
//	Conversation  the messages of one person with one bot
//	Session       a signed-in device
//	Message       role USER or BOT, with a status
//	Turn          a user message and the bot message that answers it, stored together
//	Attempt       one try at generating a bot message; a take-over always starts a new one
//	Grounding     how far the passages support an answer
//
// Times are UTC and carry microseconds, which is what both databases keep. Offsets named char are UTF-16 code
// units of the stored text (what JavaScript's slice counts); offsets named byte are UTF-8 bytes of it.
package kyro
