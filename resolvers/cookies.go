package resolvers

import (
	"context"
	"time"

	"kyrochat/account"
	"kyrochat/graph/model"
	"kyrochat/kyro"
)

// Cookies is where a browser keeps its refresh token, if the request asks for it: the transport knows how.
type Cookies interface {
	// Asked reports whether the request asks for the cookie. An error is for the client: it may not, or not in this way.
	Asked(ctx context.Context) (bool, error)
	// Token is what the cookie holds; "" where there is none.
	Token(ctx context.Context) string
	// Keep puts a refresh token into the cookie, until it is over.
	Keep(ctx context.Context, token string, until time.Time)
	// Forget takes the cookie away.
	Forget(ctx context.Context)
}

// signIn gives the tokens of a session, the refresh token in the cookie where that is asked for. Nothing is done for a
// request that may not ask.
func (r mutations) signIn(ctx context.Context, in func() (account.SignedIn, error)) (*model.AuthPayload, error) {
	asked, err := r.Cookies.Asked(ctx)
	if err != nil {
		return nil, err
	}
	signed, err := in()
	if asked && err == nil && signed.RefreshToken != "" {
		r.Cookies.Keep(ctx, signed.RefreshToken, signed.RefreshExpires)
		signed.RefreshToken = ""
	}
	return authPayload(signed, err)
}

// refresh is for a token of the input, or else of the cookie, which goes where it is good for nothing any more.
func (r mutations) refresh(ctx context.Context, token string) (account.SignedIn, error) {
	asked, err := r.Cookies.Asked(ctx)
	if token != "" || !asked || err != nil {
		return r.Account.Refresh(ctx, kyro.ViewerFrom(ctx), token)
	}
	signed, err := r.Account.Refresh(ctx, kyro.ViewerFrom(ctx), r.Cookies.Token(ctx))
	if kyro.ErrorCode(err) == kyro.CodeInvalidToken {
		r.Cookies.Forget(ctx)
	}
	return signed, err
}

// logOut ends the session, and with the cookie that of the cookie too, which is taken away.
func (r mutations) logOut(ctx context.Context) (bool, error) {
	asked, err := r.Cookies.Asked(ctx)
	if !asked || err != nil {
		if err != nil {
			return false, err
		}
		return r.Account.LogOut(ctx, kyro.ViewerFrom(ctx))
	}
	ended, err := r.Account.LogOutWith(ctx, kyro.ViewerFrom(ctx), r.Cookies.Token(ctx))
	if err == nil {
		r.Cookies.Forget(ctx)
	}
	return ended, err
}
