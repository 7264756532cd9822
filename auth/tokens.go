package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"kyrochat/kyro"
)

// Facts of the access token, a JWT as RFC 9068 describes it.
const (
	audience       = "kyrochat-api"
	accessType     = "at+jwt"
	maxAccessBytes = 4 << 10
	clockLeeway    = 30 * time.Second // for nbf and iat only: a token is over when it says so
)

// Defaults of TokenOptions.
const (
	DefaultIssuer    = "kyrochat"
	DefaultAccessTTL = 10 * time.Minute
)

// TokenOptions are the settings of tokens. Zero fields take the defaults.
type TokenOptions struct {
	Issuer    string           // iss of access tokens
	AccessTTL time.Duration    // how long an access token is good
	Now       func() time.Time // time.Now
	NewID     func() string    // jti of an access token; 128 random bits
	Random    io.Reader        // of API keys and device tokens; the system's
}

// Tokens makes and reads access and refresh tokens, which are bound to the server's secrets, and makes API keys, which are
// not. The secrets may change while the server runs; see Follow.
type Tokens struct {
	ring   atomic.Pointer[ring]
	o      TokenOptions
	parser *jwt.Parser
}

// AccessClaims are what an access token says.
type AccessClaims struct {
	UserID, SessionID kyro.ID
	Issued, Expires   time.Time
}

type jwtClaims struct {
	SessionID string `json:"sid"`
	jwt.RegisteredClaims
}

// NewTokens derives the keys. The first secret signs; the others are former ones whose tokens are still good.
// Every secret has at least 32 bytes; whether weaker ones than CheckSecret takes will do is for the caller to say.
func NewTokens(secrets []string, o TokenOptions) (*Tokens, error) {
	if o.Issuer == "" {
		o.Issuer = DefaultIssuer
	}
	if o.AccessTTL <= 0 {
		o.AccessTTL = DefaultAccessTTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = rand.Text
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	keys, err := newRing(secrets)
	if err != nil {
		return nil, err
	}
	t := &Tokens{o: o}
	t.ring.Store(keys)
	t.parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithIssuer(o.Issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(clockLeeway), jwt.WithTimeFunc(o.Now))
	return t, nil
}

// Access makes an access token of a session. It ends on a whole second.
func (t *Tokens) Access(user, session kyro.ID, now time.Time) (string, time.Time, error) {
	issued := jwt.NewNumericDate(now.UTC())
	expires := jwt.NewNumericDate(issued.Add(t.o.AccessTTL))
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwtClaims{
		SessionID: session.String(),
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.o.Issuer, Audience: jwt.ClaimStrings{audience}, Subject: user.String(), ID: t.o.NewID(),
			IssuedAt: issued, NotBefore: issued, ExpiresAt: expires,
		},
	})
	key := t.keys()[0]
	token.Header["typ"] = accessType
	token.Header["kid"] = key.id
	signed, err := token.SignedString(key.access)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign an access token: %w", err)
	}
	return signed, expires.Time, nil
}

// ParseAccess reads an access token: signed by this server with HS256 under a known key id, of type at+jwt, for
// this issuer and audience, begun and not over. Anything else is UNAUTHENTICATED, in the same words whatever is wrong
// with it: what to do is the same, and a forger learns nothing. Tokens that were found good are remembered by their hash
// until they expire: a client sends the same one with every request, and to read it costs more than to answer a small
// query.
func (t *Tokens) ParseAccess(token string) (AccessClaims, error) {
	if len(token) > maxAccessBytes {
		return AccessClaims{}, kyro.BadCredential()
	}
	keys, sum := t.ring.Load(), sha256.Sum256([]byte(token))
	claims, known := keys.good.Get(sum)
	if !known {
		var err error
		if claims, err = t.parse(token, keys); err != nil {
			return AccessClaims{}, err
		}
		keys.good.Add(sum, claims)
	}
	if !t.o.Now().Before(claims.Expires) {
		keys.good.Remove(sum)
		return AccessClaims{}, kyro.BadCredential()
	}
	return claims, nil
}

func (t *Tokens) parse(token string, keys *ring) (AccessClaims, error) {
	var claims jwtClaims
	if _, err := t.parser.ParseWithClaims(token, &claims, keys.verifier); err != nil {
		return AccessClaims{}, kyro.BadCredential().Because(err)
	}
	user, err1 := kyro.ParseID(claims.Subject)
	session, err2 := kyro.ParseID(claims.SessionID)
	if errors.Join(err1, err2, user.Expect(kyro.KindUser), session.Expect(kyro.KindSession)) != nil || claims.IssuedAt == nil {
		return AccessClaims{}, kyro.BadCredential()
	}
	return AccessClaims{UserID: user, SessionID: session, Issued: claims.IssuedAt.UTC(), Expires: claims.ExpiresAt.UTC()}, nil
}
