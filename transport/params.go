package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// parseParams reads a GraphQL request from JSON. The messages name members and never quote what was sent.
func parseParams(body []byte) (*graphql.RawParams, *refusal) {
	if !utf8.Valid(body) {
		return nil, badRequest("The request body is not UTF-8.")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		return nil, &refusal{status: http.StatusBadRequest, code: codeBatching,
			message: "Batches of operations are not supported: send one operation a request."}
	}
	params := &graphql.RawParams{}
	if why := decodeOne(body, params, "The request body"); why != nil {
		return nil, why
	}
	return params, checkQuery(params)
}

// queryParams reads a GraphQL request from the query of a URL.
func queryParams(rawQuery string) (*graphql.RawParams, *refusal) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil || !utf8.ValidString(values.Get("query")) {
		return nil, badRequest("The query of the URL is malformed.")
	}
	params := &graphql.RawParams{Query: values.Get("query"), OperationName: values.Get("operationName")}
	for name, into := range map[string]*map[string]any{"variables": &params.Variables, "extensions": &params.Extensions} {
		if text := values.Get(name); text != "" {
			if why := decodeOne([]byte(text), into, "The parameter "+name); why != nil {
				return nil, why
			}
		}
	}
	return params, checkQuery(params)
}

func checkQuery(params *graphql.RawParams) *refusal {
	if params.Query == "" && params.Extensions["persistedQuery"] == nil {
		return badRequest("The request has no query.")
	}
	return nil
}

// decodeOne reads exactly one JSON object, with numbers as they are written.
func decodeOne(text []byte, into any, what string) *refusal {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return badRequest(what + " has a member of the wrong type: " + wrongType.Field + ".")
	case errors.As(err, &wrongType):
		return badRequest(what + " must be a JSON object.")
	case err != nil:
		return badRequest(what + " is not valid JSON.")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return badRequest(what + " goes on after its JSON object.")
	}
	return nil
}
