package answer

import (
	"kyrochat/kyro"
	"kyrochat/text"
)

// What an answer may take is reserved before a model is asked: as much as it can be by what is known then. It is counted in
// estimated tokens, so that a model that counts more of them may take a little more than was reserved.
const (
	frameTokens    = 1_000 // of the rules around what a prompt holds
	passageTokens  = 600   // of a passage and its frame
	outlineTokens  = 1_000 // of an answer that is picked from passages
	thinkingTokens = 2_048 // that a model may think beside its answer
	rewritingBytes = rewriteMessages * rewriteBytes
)

// charge says on whose account an answer of the viewer goes, beside the viewer's own and the bot's.
func (s *Service) charge(viewer kyro.Viewer) kyro.Charge {
	return kyro.Charge{KeyID: viewer.KeyID, Estimate: s.cfg.estimate}
}

// estimate is the most that an answer is expected to take: the question, the passages and the history as long as they may
// be, the rewriting of the question, and an answer as long as the bot allows.
func (c *Config) estimate(bot kyro.Bot, question string, opens bool) kyro.Spending {
	prompt, output := text.Tokens(question)+min(bot.TopK*passageTokens, c.PassageTokens), outlineTokens
	var rewriting kyro.MessageUsage
	if c.Completer != nil {
		prompt += frameTokens
		if bot.Instructions != nil {
			prompt += text.Tokens(*bot.Instructions)
		}
		if output = kyro.MaxOutputTokens; bot.MaxOutputTokens != nil {
			output = *bot.MaxOutputTokens
		}
		output += thinkingTokens
		if !opens {
			prompt += c.HistoryTokens
			rewriting = kyro.MessageUsage{PromptTokens: text.Tokens(question) + rewritingBytes/3, OutputTokens: rewriteTokens}
		}
	}
	return kyro.Spending{
		Messages: 1, Tokens: int64(prompt + output + rewriting.TotalTokens()),
		Cost: c.Prices.Cost(c.asked(bot), prompt, output) + c.rewritten(rewriting),
	}
}

// asked is the name of the model that a bot's answers are asked of.
func (c *Config) asked(bot kyro.Bot) string {
	if bot.Model != nil && *bot.Model != "" && c.Completer != nil {
		return *bot.Model
	}
	return c.ModelName
}

// cost is what an answer's tokens cost: by the model that wrote it, or by the one that was asked where none did.
func (c *Config) cost(u kyro.MessageUsage, asked string) kyro.Money {
	if u.Model != "" {
		asked = u.Model
	}
	return c.Prices.Cost(asked, u.PromptTokens, u.OutputTokens)
}

// rewritten is what it cost to rewrite a question, which the server's model does, whatever the bot's is.
func (c *Config) rewritten(u kyro.MessageUsage) kyro.Money {
	return c.Prices.Cost(c.ModelName, u.PromptTokens, u.OutputTokens)
}
