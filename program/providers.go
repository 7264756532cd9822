package program

import (
	"context"
	"log/slog"
	"time"

	"kyrochat/ai"
	"kyrochat/answer"
	"kyrochat/config"
	"kyrochat/ingest"
	"kyrochat/insight"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/store"
)

// providers are who writes answers, makes embeddings and finds passages by them, as the settings say.
type providers struct {
	gemini   *ai.Gemini   // nil without a key
	pinecone *ai.Pinecone // nil without a key

	model     answer.Model
	completer answer.Completer // nil offline
	questions answer.Embedder
	vectors   answer.Vectors
	passages  ingest.Embedder
	compared  insight.Embedder
	index     ingest.Index // nil where vectors are searched in the database's own
}

// signalQuota tells other nodes that a provider told this one to wait.
const signalQuota = "quota"

// quotaPause is how long a quota of a provider is used up.
type quotaPause struct {
	Quota string
	For   time.Duration
}

// vectorMemory is how many bytes of documents' vectors are kept in memory, at most.
const vectorMemory = 512 << 20

func newProviders(
	ctx context.Context, cfg config.Config, st *store.Store, installation string, bus *live.Bus, m measured, log *slog.Logger,
) (_ *providers, err error) {
	p, offline := &providers{}, &ai.Extractive{Pace: cfg.OfflinePace}
	if cfg.Providers.GeminiKey == "" {
		hash := &ai.HashEmbedder{}
		model, dims := hash.Model()
		p.model, p.questions, p.passages, p.compared = offline, hash, hash, hash
		p.vectors = ai.NewVectors(st, model, dims, vectorMemory)
		return p, nil
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.useGemini(cfg, bus, m.gemini, log); err != nil {
		return nil, err
	}
	if cfg.Providers.OfflineFallback {
		p.model = &ai.Fallback{Model: p.gemini, Offline: offline}
	}
	if cfg.Providers.PineconeKey == "" {
		p.vectors = ai.NewVectors(st, cfg.Providers.EmbeddingModel, cfg.Providers.EmbeddingDims, vectorMemory)
		return p, nil
	}
	if err := p.usePinecone(ctx, cfg.Providers, installation, m.pinecone, log); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *providers) useGemini(cfg config.Config, bus *live.Bus, told ai.Measure, log *slog.Logger) (err error) {
	log = log.With("part", "gemini")
	p.gemini, err = ai.NewGemini(ai.GeminiConfig{
		APIKey: string(cfg.Providers.GeminiKey), URL: cfg.Providers.GeminiURL, Model: cfg.Providers.GeminiModel,
		EmbeddingModel: cfg.Providers.EmbeddingModel, EmbeddingDims: cfg.Providers.EmbeddingDims,
		FirstByte: cfg.Limits.AnswerFirstByte, Idle: cfg.Limits.AnswerIdle, Log: log, Measure: told,
		OnPause: func(quota string, d time.Duration) {
			log.Warn("a quota of Gemini is used up", "quota", quota, "for", d.Round(time.Millisecond))
			live.Send(bus, signalQuota, quotaPause{Quota: quota, For: d})
		},
	})
	if err != nil {
		return err
	}
	live.On(bus, signalQuota, func(q quotaPause) { p.gemini.Pause(q.Quota, q.For) })
	p.model, p.completer, p.questions, p.passages, p.compared = p.gemini, p.gemini, p.gemini, p.gemini, p.gemini
	return nil
}

func (p *providers) usePinecone(ctx context.Context, cfg config.Providers, installation string, told ai.Measure, log *slog.Logger) (err error) {
	p.pinecone, err = ai.NewPinecone(ctx, ai.PineconeConfig{
		APIKey: string(cfg.PineconeKey), Index: cfg.PineconeIndex, Host: cfg.PineconeHost, ControlURL: cfg.PineconeControlURL,
		SharedNamespace: cfg.PineconeShared, Installation: installation, Model: cfg.Identity(), Dims: cfg.EmbeddingDims, Log: log, Measure: told,
	})
	if err != nil {
		return err
	}
	p.vectors, p.index = p.pinecone, p.pinecone
	return nil
}

// info says who does what.
func (p *providers) info(cfg config.Providers) (answers, embeddings kyro.ProviderInfo, vectors string) {
	if p.gemini == nil {
		model, _ := p.passages.Model()
		return kyro.ProviderInfo{Provider: "offline", Model: ai.ExtractiveModel}, kyro.ProviderInfo{Provider: "offline", Model: model}, "embedded"
	}
	vectors = "embedded"
	if p.pinecone != nil {
		vectors = "pinecone"
	}
	return kyro.ProviderInfo{Provider: "gemini", Model: cfg.GeminiModel}, kyro.ProviderInfo{Provider: "gemini", Model: cfg.EmbeddingModel}, vectors
}

// embedded names what this process does itself.
func (p *providers) embedded() (parts []string) {
	if p.pinecone == nil {
		parts = append(parts, "vectors in process")
	}
	if p.gemini == nil {
		parts = append(parts, "offline answers ("+ai.ExtractiveModel+")")
	}
	return parts
}

// away says which providers are not asked at the moment, and why.
func (p *providers) away() (list []string) {
	if p.gemini != nil {
		list = awayFor(list, "Gemini", p.gemini.Away())
	}
	if p.pinecone != nil {
		list = awayFor(list, "Pinecone", p.pinecone.Away())
	}
	return list
}

func awayFor(list []string, name string, err error) []string {
	switch {
	case err == nil:
		return list
	case kyro.ErrorCode(err) == kyro.CodeUpstreamQuota:
		return append(list, name+", whose quota is used up")
	}
	return append(list, name+", which does not answer")
}

func (p *providers) close() {
	if p.gemini != nil {
		p.gemini.Close()
	}
	if p.pinecone != nil {
		p.pinecone.Close()
	}
}
