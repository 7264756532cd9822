package answer

import (
	"context"

	"kyrochat/kyro"
)

// Retriever finds what an answer can rest on.
type Retriever interface {
	// Retrieve gives the passages of the bot that fit the question, best first. The history, oldest first, says
	// what a question such as "and in winter?" is about. Finding nothing is no error.
	Retrieve(ctx context.Context, bot kyro.Bot, question string, history []kyro.Message) (Retrieved, error)
	// Search gives up to limit of the chunks that are found for the question, best first: those that an answer would
	// get, and among them those that it would not, with the reason.
	Search(ctx context.Context, bot kyro.Bot, question string, limit int) ([]kyro.SearchHit, error)
}

// Retrieved is what was found for a question.
type Retrieved struct {
	Passages  []kyro.Passage // best first; markers count from 1 in this order
	Lexical   kyro.LexicalResult
	Languages []string // of the bot's documents
	Notices   []kyro.MessageNotice
}
