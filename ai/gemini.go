package ai

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"google.golang.org/genai"
)

// Where Gemini is, and what is asked of it where nothing else is set.
const (
	DefaultGeminiURL      = "https://generativelanguage.googleapis.com"
	DefaultGeminiModel    = "gemini-3.8-flash"
	DefaultEmbeddingModel = "gemini-embedding-001"
	DefaultEmbeddingDims  = 768
)

// Limits of what is asked of Gemini.
const (
	defaultFirstByte = 15 * time.Second
	defaultIdle      = 12 * time.Second
	// connectTimeout holds for the connection, with looking up its address, and once more for TLS. The question put another
	// way and its embedding have a second and a half each before the answer is asked for, and whoever waits hears
	// within five that nothing can be reached.
	connectTimeout  = 1500 * time.Millisecond
	mostConnections = 512 // idle ones that are kept, where HTTP/2 does not make one enough
	minGeminiDims   = 128
	maxGeminiDims   = 3_072
)

// GeminiConfig says how to reach Gemini. Without a URL, a model, an embedding model or dimensions the defaults hold.
type GeminiConfig struct {
	APIKey         string
	URL            string
	Model          string // writes answers where a bot does not name another
	EmbeddingModel string
	EmbeddingDims  int // 128 to 3,072
	// FirstByte is how long an answer may take to begin, all its tries together, and Idle how long it may pause. They
	// must be shorter than the clocks of the caller, or else the breaker never hears of a silent upstream, and nothing
	// can stand in for it. Zero: 15 s and 12 s.
	FirstByte, Idle time.Duration
	// OnPause hears of a quota that Gemini said is used up, so that other nodes can be told to Pause. It must not wait.
	OnPause func(quota string, d time.Duration)
	Log     *slog.Logger
	Measure Measure

	dial   func(ctx context.Context, network, address string) (net.Conn, error) // nil: the network
	random func() float64                                                       // nil: by chance
}

// Gemini is Google's model: it writes answers and short texts, and makes embeddings. Errors are typed: UPSTREAM_QUOTA and
// UPSTREAM_FAILED with the time to wait where it is known, TIMEOUT, CONTENT_BLOCKED, and VALIDATION for a text that it
// refuses for good. They hold nothing of a prompt, of the key, or of what Gemini said.
type Gemini struct {
	cfg       GeminiConfig
	client    *genai.Client
	transport *http.Transport
	log       *slog.Logger
	owner     string // begins the names of quotas: whose key it is

	ways
	batches    chan struct{} // places for batches of passages
	batch      batchSize
	share      share // of passages
	questions  *questions
	complaints complaints
}

// NewGemini prepares the client. It asks nothing of Gemini yet. Close must be called.
func NewGemini(cfg GeminiConfig) (*Gemini, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	g := &Gemini{
		cfg: cfg, log: cfg.Log, transport: newTransport(cfg.dial), batches: make(chan struct{}, mostBatches),
	}
	sum := sha256.Sum256([]byte(cfg.APIKey))
	g.owner = "gemini/" + hex.EncodeToString(sum[:4]) + "/"
	if err := g.openWays(); err != nil {
		return nil, err
	}
	bridgeLog(cfg.Log)
	if strings.HasPrefix(cfg.URL, "http://") && !loopback(cfg.URL) {
		g.log.Warn("the key and all prompts go to Gemini in the clear, because KYRO_GEMINI_URL begins with http://")
	}
	var err error
	g.client, err = genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey: cfg.APIKey, Backend: genai.BackendGeminiAPI,
		HTTPClient: &http.Client{
			Transport: keeping{g.transport},
			// The key is in a header that would go along to wherever a redirection leads.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPOptions: genai.HTTPOptions{BaseURL: cfg.URL, APIVersion: "v1beta"},
	})
	if err != nil {
		return nil, errors.New("the client for Gemini could not be made") // its error may hold settings
	}
	g.questions = newQuestions(g.embedQuestions)
	return g, nil
}

func (c *GeminiConfig) complete() error {
	for _, setting := range []struct {
		value *string
		or    string
	}{{&c.URL, DefaultGeminiURL}, {&c.Model, DefaultGeminiModel}, {&c.EmbeddingModel, DefaultEmbeddingModel}} {
		if *setting.value == "" {
			*setting.value = setting.or
		}
	}
	if c.EmbeddingDims == 0 {
		c.EmbeddingDims = DefaultEmbeddingDims
	}
	if c.FirstByte <= 0 {
		c.FirstByte = defaultFirstByte
	}
	if c.Idle <= 0 {
		c.Idle = defaultIdle
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.random == nil {
		c.random = rand.Float64
	}
	at, err := url.Parse(c.URL)
	switch {
	case c.APIKey == "" || strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the API key of Gemini must be visible ASCII characters without spaces")
	case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "":
		return errors.New("the URL of Gemini must be http or https with a host, and nothing else but a path")
	case !modelName.MatchString(c.Model) || !modelName.MatchString(c.EmbeddingModel):
		return fmt.Errorf("%q and %q must be names of models, such as %s and %s", c.Model, c.EmbeddingModel, DefaultGeminiModel, DefaultEmbeddingModel)
	case c.EmbeddingDims < minGeminiDims || c.EmbeddingDims > maxGeminiDims:
		return fmt.Errorf("embeddings of Gemini have %d to %d dimensions, not %d", minGeminiDims, maxGeminiDims, c.EmbeddingDims)
	}
	return nil
}

// modelName is what may stand in the path of a request: bots name their models themselves.
var modelName = regexp.MustCompile(`^(?:models/|tunedModels/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func newTransport(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	inTime := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return dial(ctx, network, address)
	}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: inTime, TLSHandshakeTimeout: connectTimeout, ForceAttemptHTTP2: true,
		MaxIdleConns: mostConnections, MaxIdleConnsPerHost: mostConnections, IdleConnTimeout: 90 * time.Second,
		// A connection that died without a word would take every answer on it along, until each runs out of time.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// Close ends the connections that are not in use, and waits for embeddings under way. Answers end with their own
// contexts, before.
func (g *Gemini) Close() {
	g.questions.close()
	g.transport.CloseIdleConnections()
}

// Lexical reports that the vectors compare meaning.
func (g *Gemini) Lexical() bool { return false }

// Model names the embedding and its dimensions.
func (g *Gemini) Model() (name string, dims int) { return g.cfg.EmbeddingModel, g.cfg.EmbeddingDims }
