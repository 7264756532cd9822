package fetch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kyrochat/kyro"
)

// unreachable is the one answer to everything that failed before a server answered: it must not tell what is there.
func unreachable(cause error) *kyro.Error {
	return kyro.Errorf(kyro.CodeFetchFailed, "The page could not be fetched. Check that the address is right and that everybody can open it on the internet, then try again.").Because(cause)
}

// failed is a final error that a server brought about which may be reached.
func failed(format string, args ...any) *kyro.Error {
	return kyro.Errorf(kyro.CodeFetchFailed, format, args...)
}

// later is an error that may be gone after the pause.
func later(code kyro.Code, pause time.Duration, format string, args ...any) *kyro.Error {
	e := kyro.Errorf(code, format, args...)
	e.RetryAfter = pause
	return e
}

// How long a server is left alone: where it does not say, and where it says more than anybody waits.
const (
	usualPause = time.Minute
	mostPause  = 24 * time.Hour
)

// answered is the cause of an error that an answer is.
type answered struct{ code int }

func (a *answered) Error() string { return "the status is " + strconv.Itoa(a.code) }

// status is the error of an answer that has no page; nil where it may have one.
func status(r *http.Response, now time.Time) error {
	code := r.StatusCode
	switch code {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
		return nil
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return soon(r, now)
	default:
		if code >= 500 {
			return soon(r, now)
		}
	}
	return failed("The site answered %d. %s", code, advice(code)).Because(&answered{code})
}

// advice is what to do about a status that will not be another one by itself.
func advice(code int) string {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusUnavailableForLegalReasons:
		return "It does not give the page to everybody: make it public, or save it and upload the file."
	case http.StatusNotFound, http.StatusGone:
		return "There is no page at the address: check it."
	}
	return "Check that the address opens in a browser without signing in, then try again."
}

// soon is the error of an answer that may be another one in a while.
func soon(r *http.Response, now time.Time) error {
	return later(
		kyro.CodeUpstreamFailed, retryAfter(r.Header.Get("Retry-After"), now), "The site answered %d.", r.StatusCode,
	).Because(&answered{r.StatusCode})
}

// retryAfter reads how long a server wants to be left alone: seconds, or a time.
func retryAfter(s string, now time.Time) time.Duration {
	pause := usualPause
	if n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31); err == nil {
		pause = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		pause = at.Sub(now)
	}
	return min(max(pause, time.Second), mostPause)
}

// tell makes of an error what its caller gets, and what the log does. The log has the host alone: addresses of pages may
// have secrets in them.
func (f *Fetcher) tell(ctx context.Context, at *url.URL, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	known, ok := errors.AsType[*kyro.Error](err)
	if !ok {
		known = unreachable(err)
	}
	level := slog.LevelDebug
	if errors.Is(err, errForbidden) {
		level = slog.LevelInfo
		if f.Denied != nil {
			f.Denied(ctx, at.Host)
		}
	}
	f.Log.Log(ctx, level, "a page could not be fetched", "host", at.Host, "error", known)
	return known
}
