package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"kyrochat/kyro"
)

// Reach sends the collector nothing, as it would send spans, and gives the status that it answers with; 0 with an error
// where it does not answer. Errors hold none of the headers.
func Reach(ctx context.Context, c Config) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Endpoint, "/")+"/v1/traces", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("the address is none: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-protobuf") // of which no byte is a message without spans
	for name, value := range c.Headers {
		request.Header.Set(name, string(value))
	}
	// The headers would go along to wherever a redirection leads.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		return 0, plain(err, c.Headers)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	return answer.StatusCode, nil
}

func plain(err error, secrets map[string]kyro.Secret) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return errors.New((&carrier{secrets: secrets}).harmless(err))
}
