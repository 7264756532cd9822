package program

import (
	"kyrochat/answer"
	"kyrochat/store"
)

// newAnswers makes what finds passages, and gives what answers are made with, here and where questions are asked again.
func (a *app) newAnswers(st *store.Store, node string) answer.Config {
	a.retriever = answer.NewRetriever(st, a.providers.Vectors, a.providers.Questions, a.log)
	a.retriever.VectorTimeout, a.retriever.PassageTokens = a.cfg.VectorTimeout, a.cfg.PassageTokens
	return answer.Config{
		Store: st, Log: a.nodes.logs, Signals: a.nodes.signals(), Wakes: a.nodes.wakes, Retriever: a.retriever,
		Model: a.providers.Model, Completer: a.providers.Completer, PassageTokens: a.cfg.PassageTokens, HistoryTokens: a.cfg.HistoryTokens,
		Limits: a.cfg.Limits, Restart: a.cfg.AnswerRestart, Node: node, Exclusive: !a.pools.Postgres(), Logger: a.log,
		Limiter: a.nodes.rates, Rate: a.cfg.Rates.Messages, Wall: a.hooks.now,
		ModelName: a.info.Answers.Model, Prices: a.cfg.Prices,
		Ended: a.measured.answers, Traces: a.recorded.work,
	}
}
