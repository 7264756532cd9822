package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"kyrochat/kyro"
)

// BenchmarkGate is what it costs to know who is asking, once the rows are remembered.
func BenchmarkGate(b *testing.B) {
	for name, credential := range map[string]string{
		"nobody": "", "session": "Bearer " + access(b, newTokens(b, at(start), secretA), start), "key": "Bearer " + goodKey,
	} {
		b.Run(name, func(b *testing.B) {
			signedIn := false
			h := gate(b, start, nil).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				signedIn = kyro.ViewerFrom(r.Context()).SignedIn()
			}))
			r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
			r.RemoteAddr = "198.51.100.23:4711"
			if credential != "" {
				r.Header.Set("Authorization", credential)
			}
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
			if signedIn != (credential != "") {
				b.Error("the wrong viewer")
			}
		})
	}
}
