package setup

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

// Providers are who writes answers, makes embeddings and finds passages by them, as the settings say.
type Providers struct {
	Gemini   *ai.Gemini   // nil without a key
	Pinecone *ai.Pinecone // nil without a key

	Model     answer.Model
	Completer answer.Completer // nil offline
	Questions answer.Embedder
	Vectors   answer.Vectors
	Passages  ingest.Embedder
	Compared  insight.Embedder
	Index     ingest.Index // nil where vectors are searched in the database's own
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

// ProviderOptions are what providers need besides the settings.
type ProviderOptions struct {
	Store            *store.Store // has the vectors that are searched by this process
	Installation     string       // the name of it
	Bus              *live.Bus    // by which processes tell each other of quotas; nil: there is none
	Gemini, Pinecone ai.Measure   // are told each call; nil: nobody is
	Log              *slog.Logger
}

// NewProviders makes the providers that are set, to be closed after use. An index in Pinecone has to be there, and to fit.
func NewProviders(ctx context.Context, cfg config.Config, o ProviderOptions) (_ *Providers, err error) {
	p, offline := &Providers{}, &ai.Extractive{Pace: cfg.OfflinePace}
	if cfg.Providers.GeminiKey == "" {
		hash := &ai.HashEmbedder{}
		model, dims := hash.Model()
		p.Model, p.Questions, p.Passages, p.Compared = offline, hash, hash, hash
		p.Vectors = ai.NewVectors(o.Store, model, dims, vectorMemory)
		return p, nil
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if err := p.useGemini(cfg, o); err != nil {
		return nil, err
	}
	if cfg.Providers.OfflineFallback {
		p.Model = &ai.Fallback{Model: p.Gemini, Offline: offline}
	}
	if cfg.Providers.PineconeKey == "" {
		p.Vectors = ai.NewVectors(o.Store, cfg.Providers.EmbeddingModel, cfg.Providers.EmbeddingDims, vectorMemory)
		return p, nil
	}
	if err := p.usePinecone(ctx, cfg.Providers, o); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Providers) useGemini(cfg config.Config, o ProviderOptions) (err error) {
	log := o.Log.With("part", "gemini")
	p.Gemini, err = ai.NewGemini(ai.GeminiConfig{
		APIKey: string(cfg.Providers.GeminiKey), URL: cfg.Providers.GeminiURL, Model: cfg.Providers.GeminiModel,
		EmbeddingModel: cfg.Providers.EmbeddingModel, EmbeddingDims: cfg.Providers.EmbeddingDims,
		FirstByte: cfg.Limits.AnswerFirstByte, Idle: cfg.Limits.AnswerIdle, Log: log, Measure: o.Gemini,
		OnPause: func(quota string, d time.Duration) {
			log.Warn("a quota of Gemini is used up", "quota", quota, "for", d.Round(time.Millisecond))
			live.Send(o.Bus, signalQuota, quotaPause{Quota: quota, For: d})
		},
	})
	if err != nil {
		return err
	}
	live.On(o.Bus, signalQuota, func(q quotaPause) { p.Gemini.Pause(q.Quota, q.For) })
	p.Model, p.Completer, p.Questions, p.Passages, p.Compared = p.Gemini, p.Gemini, p.Gemini, p.Gemini, p.Gemini
	return nil
}

func (p *Providers) usePinecone(ctx context.Context, cfg config.Providers, o ProviderOptions) (err error) {
	p.Pinecone, err = ai.NewPinecone(ctx, ai.PineconeConfig{
		APIKey: string(cfg.PineconeKey), Index: cfg.PineconeIndex, Host: cfg.PineconeHost, ControlURL: cfg.PineconeControlURL,
		SharedNamespace: cfg.PineconeShared, Installation: o.Installation, Model: cfg.Identity(), Dims: cfg.EmbeddingDims, Log: o.Log, Measure: o.Pinecone,
	})
	if err != nil {
		return err
	}
	p.Vectors, p.Index = p.Pinecone, p.Pinecone
	return nil
}

// Info says who does what.
func (p *Providers) Info(cfg config.Providers) (answers, embeddings kyro.ProviderInfo, vectors string) {
	if p.Gemini == nil {
		model, _ := p.Passages.Model()
		return kyro.ProviderInfo{Provider: "offline", Model: ai.ExtractiveModel}, kyro.ProviderInfo{Provider: "offline", Model: model}, "embedded"
	}
	vectors = "embedded"
	if p.Pinecone != nil {
		vectors = "pinecone"
	}
	return kyro.ProviderInfo{Provider: "gemini", Model: cfg.GeminiModel}, kyro.ProviderInfo{Provider: "gemini", Model: cfg.EmbeddingModel}, vectors
}

// Embedded names what this process does itself.
func (p *Providers) Embedded() (parts []string) {
	if p.Pinecone == nil {
		parts = append(parts, "vectors in process")
	}
	if p.Gemini == nil {
		parts = append(parts, "offline answers ("+ai.ExtractiveModel+")")
	}
	return parts
}

// Away says which providers are not asked at the moment, and why.
func (p *Providers) Away() (list []string) {
	if p.Gemini != nil {
		list = awayFor(list, "Gemini", p.Gemini.Away())
	}
	if p.Pinecone != nil {
		list = awayFor(list, "Pinecone", p.Pinecone.Away())
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

// Close ends what the providers run for themselves.
func (p *Providers) Close() {
	if p.Gemini != nil {
		p.Gemini.Close()
	}
	if p.Pinecone != nil {
		p.Pinecone.Close()
	}
}
