package transport

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The media types of a GraphQL response (GraphQL over HTTP §4.2).
const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
)

// negotiate chooses the media type of the response: the one of highest quality in Accept, the first of equals;
// application/json where any will do. ok is false where none will.
func negotiate(r *http.Request) (media string, ok bool) {
	values := r.Header["Accept"]
	if len(values) == 1 && (values[0] == mediaJSON || values[0] == "*/*") { // what most clients send
		return mediaJSON, true
	}
	if strings.TrimSpace(strings.Join(values, ",")) == "" {
		return mediaJSON, true
	}
	return preferred(r, mediaJSON, mediaResponse)
}

// preferred is the media type of highest quality in Accept, the first of equals, among those offered. Wildcards stand
// for application/json. ok is false where none is accepted.
func preferred(r *http.Request, offered ...string) (media string, ok bool) {
	best := 0.0
	for each := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		name, params, err := mime.ParseMediaType(each)
		if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
			continue
		}
		quality := 1.0
		if q, found := params["q"]; found {
			if quality, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if name == "*/*" || name == "application/*" {
			name = mediaJSON
		}
		if slices.Contains(offered, name) && quality > best {
			media, best = name, quality
		}
	}
	return media, best > 0
}

// isMedia reports whether the request has the media type, in UTF-8.
func isMedia(r *http.Request, media string) bool {
	headers := r.Header["Content-Type"]
	if len(headers) != 1 {
		return false
	}
	if headers[0] == media || headers[0] == mediaJSON { // what most clients send
		return headers[0] == media
	}
	name, params, err := mime.ParseMediaType(headers[0])
	return err == nil && name == media && (params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8"))
}

// preflightHeaders are those a browser sends across origins only after it asked for leave; any of them shows that
// a request was made by code that was allowed to.
var preflightHeaders = []string{"Apollo-Require-Preflight", "X-Requested-With", "GraphQL-Require-Preflight"}

func wasPreflighted(r *http.Request) bool {
	for _, name := range preflightHeaders {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// fromElsewhere reports whether a browser says, or lets fear, that another site made it send the request.
func fromElsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "":
		return r.Header.Get("Origin") != ""
	case "cross-site":
		return true
	default:
		return false
	}
}
