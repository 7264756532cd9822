package gemini

import (
	"slices"

	"kyrochat/text"
)

// check refuses what the real API refuses.
func (g *generateRequest) check(m *model) *apiError {
	if len(g.Contents) == 0 {
		return invalid("* GenerateContentRequest.contents: contents is not specified\n")
	}
	for i, c := range g.Contents {
		if c.Role != "" && c.Role != "user" && c.Role != "model" {
			return invalid("Please use a valid role: user, model.")
		}
		if refused := c.check("contents", i); refused != nil {
			return refused
		}
	}
	if g.SystemInstruction != nil {
		if refused := g.SystemInstruction.check("system_instruction", 0); refused != nil {
			return refused
		}
	}
	if n := g.tokens(); n > m.InputLimit {
		return invalid("The input token count (%d) exceeds the maximum number of tokens allowed (%d).", n, m.InputLimit)
	}
	for _, s := range g.SafetySettings {
		if !slices.Contains([]string{"BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE", "OFF"}, s.Threshold) {
			return invalid("Invalid value at 'safety_settings[0].threshold' (type.googleapis.com/google.ai.generativelanguage.v1beta.SafetySetting.HarmBlockThreshold), %q", s.Threshold)
		}
	}
	return g.GenerationConfig.check(m)
}

func (c content) check(field string, i int) *apiError {
	if len(c.Parts) == 0 {
		return invalid("* GenerateContentRequest.%s[%d].parts: contents.parts must not be empty.\n", field, i)
	}
	for n, p := range c.Parts {
		if p.Text == nil {
			return invalid("* GenerateContentRequest.%s[%d].parts[%d].data: required oneof field 'data' must have one initialized field\n", field, i, n)
		}
	}
	return nil
}

func (c *generationConfig) check(m *model) *apiError {
	switch {
	case c == nil:
		return nil
	case c.Temperature != nil && (*c.Temperature < 0 || *c.Temperature > 2):
		return invalid("* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n")
	case c.MaxOutputTokens != nil && (*c.MaxOutputTokens < 1 || *c.MaxOutputTokens > m.OutputLimit):
		return invalid("* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be in the range [1, %d].\n", m.OutputLimit)
	case c.CandidateCount != nil && *c.CandidateCount != 1:
		return invalid("Multiple candidates is not enabled for this model")
	case c.ThinkingConfig == nil:
		return nil
	}
	t := c.ThinkingConfig
	switch {
	case t.ThinkingLevel != nil && t.ThinkingBudget != nil:
		return invalid("You can only set only one of thinking budget and thinking level.")
	case t.ThinkingLevel == nil:
		return nil
	case len(m.levels) == 0:
		return invalid("Thinking level is not supported for this model.")
	case !slices.Contains([]string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}, *t.ThinkingLevel):
		return invalid("Invalid value at 'generation_config.thinking_config.thinking_level' (type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingConfig.ThinkingLevel), %q", *t.ThinkingLevel)
	case !slices.Contains(m.levels, *t.ThinkingLevel):
		return invalid("Thinking level %s is not supported for this model. Please retry with other thinking level.", *t.ThinkingLevel)
	}
	return nil
}

// tokens estimates what the prompt takes.
func (g *generateRequest) tokens() int {
	n := 0
	for _, c := range g.Contents {
		n += text.Tokens(c.text())
	}
	if g.SystemInstruction != nil {
		n += text.Tokens(g.SystemInstruction.text())
	}
	return n
}

var taskTypes = []string{"", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING", "QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"}

const maxBatch = 100

func (b *embedRequest) check(m *model) *apiError {
	switch {
	case len(b.Requests) == 0:
		return invalid("* BatchEmbedContentsRequest.requests: requests must not be empty\n")
	case len(b.Requests) > maxBatch:
		return invalid("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n")
	}
	for i, r := range b.Requests {
		if r.Model != m.Name {
			return invalid("* BatchEmbedContentsRequest.requests[%d].model: the model of all requests must be the model of the batch\n", i)
		}
		if !slices.Contains(taskTypes, r.TaskType) {
			return invalid("Invalid value at 'requests[%d].task_type' (type.googleapis.com/google.ai.generativelanguage.v1beta.TaskType), %q", i, r.TaskType)
		}
		if r.Title != "" && r.TaskType != "RETRIEVAL_DOCUMENT" {
			return invalid("* BatchEmbedContentsRequest.requests[%d].title: title is only applicable when task_type is RETRIEVAL_DOCUMENT\n", i)
		}
		if refused := r.Content.check("content", i); refused != nil {
			return refused
		}
		if r.Content.text() == "" {
			return invalid("* BatchEmbedContentsRequest.requests[%d].content: content is empty\n", i)
		}
		if d := r.OutputDimensionality; d != nil && (*d < 128 || *d > maxDims) {
			return invalid("* BatchEmbedContentsRequest.requests[%d].output_dimensionality: output_dimensionality must be in the range [128, %d].\n", i, maxDims)
		}
		// The real API may cut a text that is too long without a word, which is worse: what was cut off is not found.
		if n := text.Tokens(r.Content.text()); n > m.InputLimit {
			return invalid("The input token count (%d) exceeds the maximum number of tokens allowed (%d).", n, m.InputLimit)
		}
	}
	return nil
}
