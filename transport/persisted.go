package transport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

const (
	codeNotPersisted = "PERSISTED_QUERY_NOT_FOUND"
	codeNotTrusted   = "DOCUMENT_NOT_TRUSTED"
	// messageNotPersisted is the one that clients of automatic persisted queries look for; they send the text then.
	messageNotPersisted = "PersistedQueryNotFound"
)

// Manifest is the documents that an operator trusts, by the SHA-256 of their text in hexadecimal.
type Manifest map[string]string

// ReadManifest reads a JSON object of texts by their hashes, or a manifest as Apollo's tools write it, a list of
// operations with id and body. Every hash is checked.
func ReadManifest(text []byte) (Manifest, error) {
	var apollo struct {
		Operations []struct{ ID, Body string }
	}
	manifest := Manifest{}
	if err := json.Unmarshal(text, &apollo); err == nil && apollo.Operations != nil {
		for _, operation := range apollo.Operations {
			manifest[operation.ID] = operation.Body
		}
	} else if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, errors.New("neither a JSON object of documents by their hashes, nor a manifest with a list of operations")
	}
	for id, body := range manifest {
		if hashOf(body) != strings.ToLower(id) {
			return nil, fmt.Errorf("the document under %q has the hash %s", id, hashOf(body))
		}
	}
	return manifest, nil
}

// With is the manifest with more documents, such as those of the server's own pages.
func (m Manifest) With(documents ...string) Manifest {
	more := maps.Clone(m)
	if more == nil {
		more = Manifest{}
	}
	for _, document := range documents {
		more[hashOf(document)] = document
	}
	return more
}

func hashOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// persisted finds documents that requests name by their hash: trusted ones, and those that a client sent before
// (automatic persisted queries).
type persisted struct {
	trusted     Manifest
	trustedOnly bool
	seen        graphql.Cache[string]
	shared      graphql.Cache[string] // nil for none
}

func newPersisted(o DocumentOptions) persisted {
	return persisted{
		trusted: o.Trusted, trustedOnly: o.TrustedOnly, shared: o.Shared,
		seen: remember(func(hash, text string) int { return len(hash) + len(text) }),
	}
}

// recall gives a document that a client sent before, to this server or to another one.
func (p persisted) recall(ctx context.Context, hash string) (text string, found bool) {
	if text, found = p.seen.Get(ctx, hash); found || p.shared == nil {
		return text, found
	}
	if text, found = p.shared.Get(ctx, hash); found {
		p.seen.Add(ctx, hash, text)
	}
	return text, found
}

// learn remembers a document that was found good.
func (p persisted) learn(ctx context.Context, hash, text string) {
	p.seen.Add(ctx, hash, text)
	if p.shared != nil {
		p.shared.Add(ctx, hash, text)
	}
}

// find fills in the text of a request that has a hash, and refuses one whose text may not be used. learn is the hash
// under which the text may be remembered once it was found good; "" for none.
func (p persisted) find(ctx context.Context, params *graphql.RawParams) (learn string, why *gqlerror.Error) {
	hash, why := hashIn(params.Extensions)
	if why != nil {
		return "", why
	}
	if text, found := p.trusted[hash]; found && hash != "" {
		if params.Query != "" && params.Query != text {
			return "", requestError(codeBadRequest, "The query does not have the hash of extensions.persistedQuery.")
		}
		params.Query = text
		return "", nil
	}
	switch {
	case p.trustedOnly && p.trusted[hashOf(params.Query)] == "":
		return "", requestError(codeNotTrusted,
			"The server takes trusted documents only, and this is none of them. Have its operator add it to the manifest.")
	case hash == "":
		return "", nil
	case params.Query == "":
		text, found := p.recall(ctx, hash)
		if !found {
			return "", requestError(codeNotPersisted, messageNotPersisted)
		}
		params.Query = text
		return "", nil
	case hashOf(params.Query) != hash:
		return "", requestError(codeBadRequest, "The query does not have the hash of extensions.persistedQuery.")
	}
	return hash, nil
}

// hashIn reads extensions.persistedQuery, "" where there is none.
func hashIn(extensions map[string]any) (string, *gqlerror.Error) {
	given, found := extensions["persistedQuery"]
	if !found || given == nil {
		return "", nil
	}
	members, _ := given.(map[string]any)
	hash, _ := members["sha256Hash"].(string)
	if raw, err := hex.DecodeString(hash); err != nil || len(raw) != sha256.Size || fmt.Sprint(members["version"]) != "1" {
		return "", requestError(codeBadRequest, "extensions.persistedQuery needs version 1 and a sha256Hash of 64 hexadecimal digits.")
	}
	return strings.ToLower(hash), nil
}
