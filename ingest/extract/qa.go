package extract

import (
	"encoding/json"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// readQA reads a pair of a question and its answer: the question is the heading of the answer.
func readQA(data string) (kyro.Extraction, error) {
	var qa kyro.QA
	if err := json.Unmarshal([]byte(data), &qa); err != nil {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeValidation, "The question and its answer cannot be read.").Because(err)
	}
	var b blocks
	b.heading(1, strings.Join(strings.Fields(text.Normalize(qa.Question)), " "))
	for _, block := range parsePlainBlocks(text.Normalize(qa.Answer)) {
		b.add(block.kind, 0, block.text)
	}
	return b.extraction(), nil
}

type textBlock struct {
	kind kyro.BlockKind
	text string
}

// parsePlainBlocks reads plain text as blocks of their own.
func parsePlainBlocks(s string) []textBlock {
	var list []textBlock
	for _, b := range parsePlain(s) {
		list = append(list, textBlock{b.Kind, s[b.Start:b.End]})
	}
	return list
}
