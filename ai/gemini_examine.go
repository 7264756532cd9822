package ai

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"google.golang.org/genai"
)

// Trouble is what is wrong with a model of Gemini, as far as it matters for what the operator does about it.
type Trouble int

// The troubles.
const (
	TroubleNone    Trouble = iota
	TroubleKey             // the key is refused
	TroubleModel           // there is no such model
	TroubleUntold          // what answers tells of no models, as a gateway may that passes on questions alone
	TroubleUse             // there is, but not for what it is wanted for
	TroubleQuota           // the quota is used up
	TroubleRefused         // the request is refused: region, billing, or no Gemini at the URL
	TroubleAway            // nothing answers, or not in time, or what answers fails
)

// Examined is what was found out of one model.
type Examined struct {
	Model   string
	Trouble Trouble
	Cause   error // for the operator: nothing of the key, or of what was answered
	Dims    int   // of an embedding that was made; 0 for models that write
}

// ExamineGemini asks for the model that writes answers, which is told of and not asked to write, and has one word embedded.
// Each is asked once, at the same time.
func ExamineGemini(ctx context.Context, cfg GeminiConfig) (answers, embeddings Examined, err error) {
	g, err := NewGemini(cfg)
	if err != nil {
		return answers, embeddings, err
	}
	defer g.Close()
	first := make(chan Examined, 1)
	go func() { first <- g.examineModel(ctx, g.cfg.Model, "generateContent") }()
	embeddings = g.examineModel(ctx, g.cfg.EmbeddingModel, "embedContent")
	if embeddings.Trouble == TroubleNone || embeddings.Trouble == TroubleUntold {
		embeddings = g.examineEmbedding(ctx)
	}
	return <-first, embeddings, nil
}

func (g *Gemini) examineModel(ctx context.Context, model, use string) Examined {
	found, err := g.client.Models.Get(ctx, model, nil)
	var api genai.APIError
	switch {
	case errors.As(err, &api) && (api.Code == http.StatusNotFound || api.Code == http.StatusMethodNotAllowed) && api.Status != "NOT_FOUND":
		return Examined{Model: model, Trouble: TroubleUntold} // Gemini itself says NOT_FOUND
	case err != nil:
		return examined(model, err)
	case len(found.SupportedActions) > 0 && !slices.Contains(found.SupportedActions, use):
		return Examined{Model: model, Trouble: TroubleUse}
	}
	return Examined{Model: model}
}

func (g *Gemini) examineEmbedding(ctx context.Context) Examined {
	model := g.cfg.EmbeddingModel
	config := &genai.EmbedContentConfig{OutputDimensionality: genai.Ptr(int32(g.cfg.EmbeddingDims))}
	found, err := g.client.Models.EmbedContent(ctx, model, []*genai.Content{genai.NewContentFromText("hello", genai.RoleUser)}, config)
	if err != nil {
		return examined(model, err)
	}
	if len(found.Embeddings) != 1 || found.Embeddings[0] == nil {
		return Examined{Model: model, Trouble: TroubleAway, Cause: errors.New("it gives no embedding")}
	}
	return Examined{Model: model, Dims: len(found.Embeddings[0].Values)}
}

// examined says what an error of the SDK means.
func examined(model string, err error) Examined {
	x := Examined{Model: model, Trouble: TroubleAway}
	var api genai.APIError
	if !errors.As(err, &api) {
		x.Cause = transportCause(err)
		if errors.Is(err, context.DeadlineExceeded) {
			x.Cause = errors.New("nothing came in time")
		}
		return x
	}
	told := readDetails(api)
	x.Cause = told.cause(api)
	switch {
	case api.Code == http.StatusTooManyRequests:
		x.Trouble = TroubleQuota
	case told.reason == "API_KEY_INVALID" || api.Code == http.StatusUnauthorized || api.Code == http.StatusForbidden:
		x.Trouble = TroubleKey
	case api.Code == http.StatusNotFound:
		x.Trouble = TroubleModel
	case api.Code >= 300 && api.Code < 500 && api.Code != http.StatusRequestTimeout:
		x.Trouble = TroubleRefused
	}
	return x
}
