package auth

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"kyrochat/kyro"
)

// Facts of the access token, a JWT as RFC 9068 describes it.
const (
	audience       = "kyrochat-api"
	accessType     = "at+jwt"
	maxAccessBytes = 4 << 10
	clockLeeway    = 30 * time.Second // for nbf and iat only: a token is over when it says so

	rememberedTokens = 10_000
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
	Random    io.Reader        // of API keys; the system's
}

// Tokens makes and reads access and refresh tokens, which are bound to the server's secrets, and makes API keys, which are not.
type Tokens struct {
	keys   []tokenKey // the first one signs, all verify
	byID   map[string]tokenKey
	o      TokenOptions
	parser *jwt.Parser
	good   *lru.Cache[[sha256.Size]byte, AccessClaims]
}

// tokenKey is what is derived from one secret.
type tokenKey struct {
	id      string
	access  []byte
	refresh []byte
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
	if len(secrets) == 0 {
		return nil, errors.New("tokens need a secret")
	}
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
	good, _ := lru.New[[sha256.Size]byte, AccessClaims](rememberedTokens) // fails for sizes below 1 only
	t := &Tokens{o: o, byID: map[string]tokenKey{}, good: good}
	for i, secret := range secrets {
		if err := checkLength(secret); err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		key, err := deriveKeys(secret)
		if err != nil {
			return nil, fmt.Errorf("derive keys from secret %d: %w", i+1, err)
		}
		t.keys = append(t.keys, key)
		t.byID[key.id] = key
	}
	t.parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithIssuer(o.Issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(clockLeeway), jwt.WithTimeFunc(o.Now))
	return t, nil
}

// deriveKeys gives each use its own key (RFC 5869), so that none says anything about another.
func deriveKeys(secret string) (tokenKey, error) {
	derive := func(use string, length int) ([]byte, error) {
		return hkdf.Key(sha256.New, []byte(secret), nil, "kyrochat "+use+" v1", length)
	}
	access, err1 := derive("access token", 32)
	refresh, err2 := derive("refresh token", 32)
	id, err3 := derive("key id", 6)
	return tokenKey{base64.RawURLEncoding.EncodeToString(id), access, refresh}, errors.Join(err1, err2, err3)
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
	token.Header["typ"] = accessType
	token.Header["kid"] = t.keys[0].id
	signed, err := token.SignedString(t.keys[0].access)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign an access token: %w", err)
	}
	return signed, expires.Time, nil
}

// ParseAccess reads an access token: signed by this server with HS256 under a known key id, of type at+jwt, for
// this issuer and audience, begun and not over. Anything else is UNAUTHENTICATED and says whether the token
// expired or is none of this server's. Tokens that were found good are remembered by their hash until they expire: a
// client sends the same one with every request, and to read it costs more than to answer a small query.
func (t *Tokens) ParseAccess(token string) (AccessClaims, error) {
	if len(token) > maxAccessBytes {
		return AccessClaims{}, malformedToken()
	}
	sum := sha256.Sum256([]byte(token))
	claims, known := t.good.Get(sum)
	if !known {
		var err error
		if claims, err = t.parse(token); err != nil {
			return AccessClaims{}, err
		}
		t.good.Add(sum, claims)
	}
	if !t.o.Now().Before(claims.Expires) {
		t.good.Remove(sum)
		return AccessClaims{}, expiredToken()
	}
	return claims, nil
}

func (t *Tokens) parse(token string) (AccessClaims, error) {
	var claims jwtClaims
	_, err := t.parser.ParseWithClaims(token, &claims, t.keyOf)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return AccessClaims{}, expiredToken()
	case err != nil:
		return AccessClaims{}, malformedToken().Because(err)
	}
	user, err1 := kyro.ParseID(claims.Subject)
	session, err2 := kyro.ParseID(claims.SessionID)
	if errors.Join(err1, err2, user.Expect(kyro.KindUser), session.Expect(kyro.KindSession)) != nil || claims.IssuedAt == nil {
		return AccessClaims{}, malformedToken()
	}
	return AccessClaims{UserID: user, SessionID: session, Issued: claims.IssuedAt.UTC(), Expires: claims.ExpiresAt.UTC()}, nil
}

// keyOf finds the key by its id and checks the header. Headers that name keys or extensions are never followed.
func (t *Tokens) keyOf(token *jwt.Token) (any, error) {
	if token.Header["typ"] != accessType {
		return nil, errors.New("not an access token")
	}
	if _, found := token.Header["crit"]; found {
		return nil, errors.New("unknown critical header")
	}
	id, _ := token.Header["kid"].(string)
	key, found := t.byID[id]
	if !found {
		return nil, errors.New("unknown key")
	}
	return key.access, nil
}

func malformedToken() *kyro.Error {
	return kyro.Errorf(kyro.CodeUnauthenticated, "The access token is not valid on this server. Sign in again.")
}

func expiredToken() *kyro.Error {
	return kyro.Errorf(kyro.CodeUnauthenticated, "The access token has expired. Refresh the session and send the new one.")
}
