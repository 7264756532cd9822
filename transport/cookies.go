package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/kyro"
)

const (
	// refreshCookie is bound to the host by its prefix: it is Secure, has the path / and no domain, so that no other host
	// of the domain can set one.
	refreshCookie = "__Host-kyr_rt"
	cookieHeader  = "X-Kyro-Cookies"
)

// Cookies keeps the refresh token of a browser in a cookie that its pages cannot read, where they ask for that by the
// header "X-Kyro-Cookies: 1". Three things keep other sites from using it: it is SameSite=Strict; no page can send the
// header to another origin without leave, nor a form at all; and the Origin, which a browser names, must be one of those
// that are allowed. It is read and set in answers to HTTP POST with a JSON body and in no others: a websocket has no headers
// to set it by, and what comes by GET, or in a form, another site can send.
type Cookies struct {
	On          bool                     // false: whoever asks for a cookie is refused
	AllowOrigin func(origin string) bool // whose pages may ask for it
	Now         func() time.Time         // time.Now
}

// Asked reports whether the operation is to keep the refresh token in the cookie. BAD_USER_INPUT where it asks for that by
// another transport, in another word than 1, or of a server that does not do it, and FORBIDDEN for a page of another
// origin, or of none that is named.
func (c Cookies) Asked(ctx context.Context) (bool, error) {
	asked := graphql.GetOperationContext(ctx).Headers.Values(cookieHeader)
	if len(asked) == 0 {
		return false, nil
	}
	post := postOf(ctx)
	switch {
	case !c.On:
		return false, kyro.Errorf(kyro.CodeBadUserInput, "This server keeps no refresh tokens in cookies: leave out the header %s.", cookieHeader)
	case len(asked) > 1 || asked[0] != "1":
		return false, kyro.Errorf(kyro.CodeBadUserInput, "The header %s must be 1, or be left out.", cookieHeader)
	case post == nil:
		return false, kyro.Errorf(kyro.CodeBadUserInput, "Cookies need HTTP POST with a JSON body, and an answer in JSON: leave out the header %s here.", cookieHeader)
	}
	if origins := post.request.Header.Values("Origin"); len(origins) != 1 || !c.AllowOrigin(origins[0]) {
		return false, kyro.Errorf(kyro.CodeForbidden, "Pages of this origin may not use cookies; the server's operator can allow them.")
	}
	return true, nil
}

// Token is the refresh token of the cookie, whatever it is worth; "" where there is none. Ask only after Asked.
func (c Cookies) Token(ctx context.Context) string {
	post := postOf(ctx)
	if post == nil {
		return ""
	}
	cookie, err := post.request.Cookie(refreshCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Keep puts a refresh token into the cookie, until it is over.
func (c Cookies) Keep(ctx context.Context, token string, until time.Time) {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	c.set(ctx, token, max(int(until.Sub(now())/time.Second), 1))
}

// Forget takes the cookie away.
func (c Cookies) Forget(ctx context.Context) { c.set(ctx, "", -1) }

func (c Cookies) set(ctx context.Context, value string, seconds int) {
	if post := postOf(ctx); post != nil {
		cookie := http.Cookie{
			Name: refreshCookie, Value: value, Path: "/", MaxAge: seconds, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		}
		post.answer.Add("Set-Cookie", cookie.String())
	}
}

// post is a request that came by POST with a JSON body, and the head of its answer, which was not sent yet.
type post struct {
	request *http.Request
	answer  http.Header
}

// postOf is the post that an operation came by; nil where it came in another way.
func postOf(ctx context.Context) *post {
	if exchange, ok := ctx.Value(afterwardsKey{}).(*afterwards); ok && exchange.post.request != nil {
		return &exchange.post
	}
	return nil
}
