// Package client speaks KyroChat's public API: queries and mutations over HTTP, uploads by the GraphQL multipart
// request specification, and subscriptions over a websocket with graphql-transport-ws. It knows the protocols,
// not the schema: requests are GraphQL text, and answers fill what the caller passes in.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Options are the settings of a client; the zero value is ready for use.
type Options struct {
	Token      string       // the access token to begin with
	HTTPClient *http.Client // http.DefaultClient if nil. Its Timeout covers uploads too; contexts serve better
	// MaxResponseBytes bounds one answer and one message of a subscription; 32 MiB if 0.
	MaxResponseBytes int64
	// PingInterval is how often a subscription makes sure that the server is still there; 20 seconds if 0. It ends
	// with an error when the answer takes longer than that.
	PingInterval time.Duration
}

// Client talks to one server. It is safe for use by many goroutines.
type Client struct {
	endpoint *url.URL
	http     *http.Client
	limit    int64
	ping     time.Duration
	token    atomic.Pointer[string]
}

// New makes a client of the server at a base URL such as http://127.0.0.1:8080. It does not connect.
func New(baseURL string, o Options) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("read the server's address: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the server's address must be an http or https URL, not %q", baseURL)
	}
	c := &Client{endpoint: u.JoinPath("graphql"), http: o.HTTPClient, limit: o.MaxResponseBytes, ping: o.PingInterval}
	if c.http == nil {
		c.http = http.DefaultClient
	}
	if c.limit == 0 {
		c.limit = 32 << 20
	}
	if c.ping == 0 {
		c.ping = 20 * time.Second
	}
	c.SetToken(o.Token)
	return c, nil
}

// SetToken sets the access token of later requests and subscriptions; "" for none.
func (c *Client) SetToken(token string) { c.token.Store(&token) }

type request struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables,omitempty"`
}

// Do runs a query or a mutation and decodes its data into into, which may be nil. Top-level errors of the answer
// are returned as Errors, after what data there is was decoded; an answer that is no GraphQL as *StatusError.
func (c *Client) Do(ctx context.Context, query string, variables map[string]any, into any) error {
	body, err := json.Marshal(request{query, variables})
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	return c.send(req, into)
}

func (c *Client) send(req *http.Request, into any) error {
	req.Header.Set("Accept", "application/graphql-response+json, application/json")
	if token := *c.token.Load(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.limit+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > c.limit {
		return fmt.Errorf("the answer is larger than %d bytes", c.limit)
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/json" && media != "application/graphql-response+json" {
		return &StatusError{Status: res.StatusCode, Body: excerpt(body)}
	}
	var answer response
	if err := json.Unmarshal(body, &answer); err != nil {
		return &StatusError{Status: res.StatusCode, Body: excerpt(body)}
	}
	if answer.Data == nil && len(answer.Errors) == 0 {
		return &StatusError{Status: res.StatusCode, Body: excerpt(body)}
	}
	return answer.decode(into)
}

// response is a GraphQL answer, over HTTP or as an event of a subscription.
type response struct {
	Data   json.RawMessage `json:"data"`
	Errors Errors          `json:"errors"`
}

func (r response) decode(into any) error {
	if into != nil && len(r.Data) > 0 && !bytes.Equal(r.Data, []byte("null")) {
		if err := json.Unmarshal(r.Data, into); err != nil {
			return fmt.Errorf("decode the answer's data: %w", err)
		}
	}
	if len(r.Errors) > 0 {
		return r.Errors
	}
	return nil
}

// excerpt is the beginning of an answer, for an error message.
func excerpt(body []byte) string {
	return strings.ToValidUTF8(strings.TrimSpace(string(body[:min(len(body), 200)])), "")
}
