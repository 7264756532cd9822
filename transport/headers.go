package transport

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// unused are what a browser could do for a page, none of which any page of this server needs.
var unused = []string{
	"accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation", "gyroscope", "magnetometer",
	"microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking",
}

// SecurityHeaders sets what every answer of the server carries, whatever answers. A handler that serves a page sets its
// own Content-Security-Policy after it. https says that the public address is https, which HSTS then insists on for a
// year, for this one name: what its subdomains do is not the server's to decide. It also refuses TRACE, which gives back what a client sent, and its credentials with it.
//
// Cross-Origin-Resource-Policy is same-origin for the API, too: it keeps others from embedding an answer as a script or an
// image, without leave. Pages that were given leave ask in CORS mode, for which browsers do not look at it (Fetch, §3.7).
func SecurityHeaders(https bool) func(http.Handler) http.Handler {
	headers := http.Header{}
	headers.Set("X-Content-Type-Options", "nosniff")
	headers.Set("Referrer-Policy", "no-referrer")
	headers.Set("Cross-Origin-Opener-Policy", "same-origin")
	headers.Set("Cross-Origin-Resource-Policy", "same-origin")
	headers.Set("Permissions-Policy", strings.Join(unused, "=(), ")+"=()")
	headers.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	headers.Set("Cache-Control", "no-store")
	if https {
		headers.Set("Strict-Transport-Security", "max-age=31536000")
	}
	for name, values := range headers {
		headers[name] = slices.Clip(values) // shared by all answers: to add a value to one must not change it
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			maps.Copy(w.Header(), headers)
			if r.Method == http.MethodTrace {
				refuse(w, r, "", &refusal{status: http.StatusMethodNotAllowed, code: codeMethod, allow: allowedMethods, message: "TRACE is not answered."})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
