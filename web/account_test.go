package web_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/web"
)

func askAccount(app, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	web.Account(app).ServeHTTP(w, r)
	return w
}

var purposes = map[string]string{ // and the mutation of the button
	"verify-email": "verifyEmail", "reset-password": "resetPassword", "change-email": "confirmEmailChange",
	"revert-email": "revertEmailChange", "reactivate": "reactivateAccount",
}

func TestAccountPages(t *testing.T) {
	t.Parallel()
	for purpose, mutation := range purposes {
		w := askAccount("", http.MethodGet, "/account/"+purpose)
		page := html.UnescapeString(w.Body.String())
		if w.Code != http.StatusOK || !strings.Contains(page, "{ "+mutation+"(input: $input)") || !strings.Contains(page, "You can close this page.") {
			t.Errorf("%s: %d %s", purpose, w.Code, page)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; " +
				"base-uri 'none'; frame-ancestors 'none'",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", purpose, name, got)
			}
		}
		// Nothing that the policy forbids, and nothing from elsewhere.
		if regexp.MustCompile(`<style|style=|<script[^>]*>[^<]|\son[a-z]+=|https?:`).MatchString(page) {
			t.Errorf("%s has something inline, or from elsewhere: %s", purpose, page)
		}
		// Every field has a label, and what a label or a description names is there.
		for _, named := range regexp.MustCompile(`(?:for|aria-describedby|aria-controls)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			for id := range strings.FieldsSeq(named[1]) {
				if !strings.Contains(page, `id="`+id+`"`) {
					t.Errorf("%s names %s, which it has not", purpose, id)
				}
			}
		}
		for _, input := range regexp.MustCompile(`<input id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if !strings.Contains(page, `<label for="`+input[1]+`">`) {
				t.Errorf("%s: %s has no label", purpose, input[1])
			}
		}
		if head := askAccount("", http.MethodHead, "/account/"+purpose); head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("Content-Length") == "" {
			t.Errorf("HEAD %s: %d, %d bytes", purpose, head.Code, head.Body.Len())
		}
		if post := askAccount("", http.MethodPost, "/account/"+purpose); post.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", purpose, post.Code)
		}
	}
}

func TestWhereAccountPagesLead(t *testing.T) {
	t.Parallel()
	w := askAccount(`https://app.example.com/chat?from=mail&x="><script>`, http.MethodGet, "/account/verify-email")
	if page := w.Body.String(); !strings.Contains(page, `>Go on to app.example.com</a>`) || strings.Contains(page, "<script>") {
		t.Errorf("%s", page)
	}
	// Whatever a setting may be, it is no script.
	if page := askAccount("javascript:alert(1)", http.MethodGet, "/account/verify-email").Body.String(); strings.Contains(page, `href="javascript`) {
		t.Errorf("%s", page)
	}
}

func TestAccountFiles(t *testing.T) {
	t.Parallel()
	for path, contentType := range map[string]string{
		"/account/account.js": "text/javascript; charset=utf-8", "/account/account.css": "text/css; charset=utf-8",
	} {
		w := askAccount("", http.MethodGet, path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if again := askAccount("", http.MethodGet, path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
	for _, path := range []string{
		"/account/", "/account/page.html", "/account/verify-email/", "/account/Verify-Email", "/account/nothing", "/account/../web.go",
		"/account/verify-email/account.js", "/account/account.js.map",
	} {
		if w := askAccount("", http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestAccountDocumentsFitTheContract validates what the pages send against the schema.
func TestAccountDocumentsFitTheContract(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(contract)})
	if err != nil {
		t.Fatal(err)
	}
	documents := web.AccountDocuments()
	if len(documents) != 7 {
		t.Errorf("%d documents", len(documents))
	}
	for _, document := range documents {
		if _, errs := gqlparser.LoadQueryWithRules(schema, document, nil); len(errs) > 0 {
			t.Errorf("%s: %v", document, errs)
		}
	}
	inputs := map[string][]string{
		"VerifyEmailInput": {"token"}, "ResetPasswordInput": {"token", "newPassword"}, "ConfirmEmailChangeInput": {"token"}, "RevertEmailChangeInput": {"token"},
		"ReactivateAccountInput": {"token"}, "RequestEmailVerificationInput": {"email"}, "RequestPasswordResetInput": {"email"},
	}
	for name, fields := range inputs {
		for _, each := range schema.Types[name].Fields {
			if len(fields) == 0 || each.Type.NonNull && !strings.Contains(strings.Join(fields, " "), each.Name) {
				t.Errorf("%s needs %s, which the page does not send", name, each.Name)
			}
		}
	}
}
