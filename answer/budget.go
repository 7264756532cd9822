package answer

import (
	"kyrochat/kyro"
	"kyrochat/text"
)

// DefaultPassageTokens is how many tokens the passages of one answer may have together where nothing else is set: as
// many as help. Beyond them a model rather overlooks what answers than finds more.
const DefaultPassageTokens = 4_000

// DefaultHistoryTokens is how many tokens the messages before may have in a prompt where nothing else is set.
const DefaultHistoryTokens = 8_000

// budget is the room that an answer has for passages. Both answers and searches by hand ask it, in the order of rank.
type budget struct {
	passages int
	tokens   int
	taken    bool // the best passage has its place
}

// newBudget is the room of a bot's answer.
func newBudget(bot kyro.Bot, tokens int) *budget {
	return &budget{passages: bot.TopK, tokens: tokens}
}

// take reports whether the next passage fits, and gives it its room. The best one always fits; the first that does not
// is the last that is looked at: passages are left out from the end, never from the middle.
func (b *budget) take(p kyro.Passage) bool {
	cost := passageCost(p)
	if b.passages <= 0 || b.taken && cost > b.tokens {
		b.passages = 0
		return false
	}
	b.passages, b.tokens, b.taken = b.passages-1, b.tokens-cost, true
	return true
}

// full reports that nothing more fits.
func (b *budget) full() bool { return b.passages <= 0 }

// passageCost is about how many tokens a passage takes in a prompt.
func passageCost(p kyro.Passage) int {
	cost := p.Chunk.TokenCount
	if cost <= 0 {
		cost = text.Tokens(p.Chunk.Text)
	}
	return passageFrame + text.Tokens(headOf(p)) + cost
}
