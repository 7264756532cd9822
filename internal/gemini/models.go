package gemini

import (
	"net/http"
	"slices"
	"strings"
)

// model is what the emulator knows of a model.
type model struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	InputLimit  int      `json:"inputTokenLimit"`
	OutputLimit int      `json:"outputTokenLimit"`
	Methods     []string `json:"supportedGenerationMethods"`
	Thinking    bool     `json:"thinking,omitempty"`

	levels []string // of thinking; none: a budget instead
}

var (
	generates = []string{"generateContent", "countTokens", "createCachedContent", "batchGenerateContent"}
	embeds    = []string{"embedContent", "countTextTokens", "countTokens"}
)

var models = func() map[string]*model {
	list := map[string]*model{}
	for _, name := range []string{"gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash", "gemini-3.5-flash", "gemini-3.5-flash-lite", "gemini-3.1-flash-lite"} {
		m := &model{InputLimit: 1_048_576, OutputLimit: 65_536, Methods: generates, Thinking: true, levels: []string{"LOW", "MEDIUM", "HIGH"}}
		if name < "gemini-3.7" {
			m.levels = append(m.levels, "MINIMAL")
		}
		list[name] = m
	}
	list["gemini-2.5-flash"] = &model{InputLimit: 1_048_576, OutputLimit: 65_536, Methods: generates, Thinking: true}
	list["gemini-embedding-001"] = &model{InputLimit: 2_048, OutputLimit: 1, Methods: embeds}
	list["gemini-embedding-2"] = &model{InputLimit: 8_192, OutputLimit: 1, Methods: embeds}
	for name, m := range list {
		m.Name, m.DisplayName = "models/"+name, name
	}
	return list
}()

func (m *model) can(method string) bool {
	switch method {
	case "streamGenerateContent":
		method = "generateContent"
	case "batchEmbedContents":
		method = "embedContent"
	}
	return slices.Contains(m.Methods, method)
}

func (e *Emulator) getModel(w http.ResponseWriter, r *http.Request) {
	m, known := models[r.PathValue("model")]
	if !known {
		notFound("Model is not found: models/%s for api version v1beta", r.PathValue("model")).write(w)
		return
	}
	writeJSON(w, http.StatusOK, m)
}

func (e *Emulator) listModels(w http.ResponseWriter, _ *http.Request) {
	var list struct {
		Models []*model `json:"models"`
	}
	for _, m := range models {
		list.Models = append(list.Models, m)
	}
	slices.SortFunc(list.Models, func(a, b *model) int { return strings.Compare(b.Name, a.Name) })
	writeJSON(w, http.StatusOK, list)
}
