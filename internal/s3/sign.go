package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxSkew is how far the clock of a client may be off.
const maxSkew = 15 * time.Minute

// signature is what the Authorization of a request says.
type signature struct {
	scope, signed, mac string
	at                 time.Time
	key                []byte // of the day, the region and the service
}

// readSignature reads "AWS4-HMAC-SHA256 Credential=key/day/region/s3/aws4_request, SignedHeaders=a;b, Signature=hex".
func (e *Emulator) readSignature(r *http.Request) (s signature, bad *refusal) {
	denied := refused(http.StatusForbidden, "AccessDenied", "Access Denied.")
	rest, found := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !found {
		return s, denied
	}
	var credential string
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			s.signed = value
		case "Signature":
			s.mac = value
		}
	}
	var err error
	if s.at, err = time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil {
		return s, denied
	}
	day := s.at.Format("20060102")
	s.scope = day + "/" + e.Region + "/s3/aws4_request"
	switch {
	case credential == e.AccessKey+"/"+s.scope:
	case !strings.HasPrefix(credential, e.AccessKey+"/"):
		return s, refused(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	default:
		return s, refused(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The credential is of another day, region or service.")
	}
	if skew := time.Since(s.at).Abs(); skew > maxSkew {
		return s, refused(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	s.key = []byte("AWS4" + e.SecretKey)
	for _, each := range []string{day, e.Region, "s3", "aws4_request"} {
		s.key = mac(s.key, each)
	}
	return s, nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// authenticate checks the signature of a request, and puts in the place of its body one that is checked while it is read.
func (e *Emulator) authenticate(r *http.Request) *refusal {
	s, bad := e.readSignature(r)
	if bad != nil {
		return bad
	}
	var headers strings.Builder
	signed := strings.Split(s.signed, ";")
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = r.Header.Get("Content-Length")
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	for _, name := range []string{"host", "x-amz-date", "x-amz-content-sha256"} {
		if !slices.Contains(signed, name) {
			return refused(http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed.")
		}
	}
	canonical := strings.Join([]string{r.Method, escapedPath(r.URL.Path), canonicalQuery(r.URL.Query()), headers.String(), s.signed, payload}, "\n")
	want := hex.EncodeToString(mac(s.key, "AWS4-HMAC-SHA256\n"+s.at.Format("20060102T150405Z")+"\n"+s.scope+"\n"+hash(canonical)))
	if !hmac.Equal([]byte(want), []byte(s.mac)) {
		return refused(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	}
	r.Body = checked(r, s, payload)
	return nil
}

// escapedPath and canonicalQuery are written as Signature Version 4 has it: all but unreserved letters in percent.
func escapedPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = escape(part)
	}
	return strings.Join(parts, "/")
}

func canonicalQuery(query url.Values) string {
	var list []string
	for name, values := range query {
		for _, value := range values {
			list = append(list, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "&")
}

func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
}
