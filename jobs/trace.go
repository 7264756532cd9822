package jobs

import (
	"context"
	"encoding/json"

	"github.com/riverqueue/river/rivertype"

	"kyrochat/kyro"
)

// traceKey is under what the metadata of a row have the trace that the job was stored in. All of its turns belong to that,
// in whatever process.
const traceKey = "traceparent"

// traced is the metadata of jobs that are stored by the work of ctx; nil where that is not traced.
func traced(ctx context.Context) []byte {
	trace := kyro.TraceFrom(ctx).Context()
	if trace == "" {
		return nil
	}
	metadata, _ := json.Marshal(map[string]string{traceKey: trace}) // which texts always can be
	return metadata
}

func traceOf(row *rivertype.JobRow) string {
	var metadata struct {
		Trace string `json:"traceparent"`
	}
	if json.Unmarshal(row.Metadata, &metadata) != nil {
		return ""
	}
	return metadata.Trace
}
