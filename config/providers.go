package config

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"kyrochat/ai"
	"kyrochat/kyro"
)

// Providers is who writes answers, makes embeddings and finds passages by them. Without keys the embedded parts do.
type Providers struct {
	GeminiKey       kyro.Secret
	GeminiURL       string // empty: Google's
	GeminiModel     string
	EmbeddingModel  string
	EmbeddingDims   int
	OfflineFallback bool // answers are quoted from the documents while Gemini is away

	PineconeKey        kyro.Secret
	PineconeIndex      string
	PineconeHost       string // of the index; empty: looked up by its name
	PineconeControlURL string // empty: Pinecone's
	PineconeShared     bool   // one namespace for all bots
}

// Identity names the embeddings: vectors of another one cannot be compared with them.
func (c Providers) Identity() string {
	return fmt.Sprintf("%s@%d", c.EmbeddingModel, c.EmbeddingDims)
}

// Embeddings is the model that makes embeddings, and how many dimensions they have.
func (c Providers) Embeddings() (model string, dims int) {
	if c.GeminiKey == "" {
		return new(ai.HashEmbedder).Model()
	}
	return c.EmbeddingModel, c.EmbeddingDims
}

// readProviders reads who does what. Settings of a provider without its key are read, and of no effect.
func (r *reader) readProviders(c *Config) {
	p := &c.Providers
	p.GeminiKey = kyro.Secret(r.key("GEMINI_API_KEY"))
	p.GeminiURL = strings.TrimSuffix(r.service("KYRO_GEMINI_URL", checkBaseURL, "http", "https"), "/")
	p.GeminiModel = r.model("KYRO_GEMINI_MODEL", ai.DefaultGeminiModel)
	p.EmbeddingModel = r.model("KYRO_EMBEDDING_MODEL", ai.DefaultEmbeddingModel)
	p.EmbeddingDims = r.integer("KYRO_EMBEDDING_DIMS", ai.DefaultEmbeddingDims, 128, 3072)
	p.OfflineFallback = r.choice("KYRO_OFFLINE_FALLBACK", "false", "true", "false") == "true"

	p.PineconeKey = kyro.Secret(r.key("PINECONE_API_KEY"))
	p.PineconeIndex = r.text("KYRO_PINECONE_INDEX", "")
	p.PineconeHost = r.text("KYRO_PINECONE_HOST", "")
	p.PineconeControlURL = strings.TrimSuffix(r.service("KYRO_PINECONE_CONTROL_URL", checkBaseURL, "http", "https"), "/")
	p.PineconeShared = r.choice("KYRO_PINECONE_NAMESPACE", "bot", "bot", "shared") == "shared"

	if p.PineconeKey == "" {
		return
	}
	if p.GeminiKey == "" {
		r.wrong("PINECONE_API_KEY", "is set, but GEMINI_API_KEY is not: Pinecone finds passages by embeddings that Gemini makes. Set both, or neither")
	}
	if p.PineconeIndex == "" && p.PineconeHost == "" {
		r.wrong("KYRO_PINECONE_INDEX", "is required with PINECONE_API_KEY: the name of an index of %d dimensions (KYRO_EMBEDDING_DIMS) and metric cosine", p.EmbeddingDims)
	}
}

// key reads a secret that is sent in a header.
func (r *reader) key(name string) string {
	s := r.text(name, "")
	if strings.ContainsFunc(s, func(c rune) bool { return c > unicode.MaxASCII || unicode.IsSpace(c) || unicode.IsControl(c) }) {
		r.wrong(name, "holds a character that no key has, such as a space")
	}
	return s
}

// model reads the name of a model. Whether there is one of that name, its provider alone can say.
func (r *reader) model(name, fallback string) string {
	s := r.text(name, fallback)
	if !kyro.IsModelName(s) {
		r.wrong(name, "is %q, which cannot be the name of a model: use one such as %s", s, fallback)
	}
	return s
}

// checkBaseURL refuses what the address of an API cannot have.
func checkBaseURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("use scheme://host[:port][/path], without a user, a query or a fragment")
	}
	return nil
}
