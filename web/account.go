package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed account
var accountFiles embed.FS

// AccountPath is where the pages are that links in mails lead to, each under the purpose of its token. The token follows
// behind a #, which browsers tell no server: it is in no log, and not used up by whatever looks at a mail.
const AccountPath = "/account/"

// accountPolicy lets a page use its own script and style, and call the API. Nothing in it is inline.
const accountPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// accountPage is what one page says and does.
type accountPage struct {
	Title, Text, Button, Done string
	Document                  string // the mutation, which takes an input with the token
	Field                     string // of the input, for what is typed besides
	Password                  bool   // whether a new password is typed
	Ask                       *askForm
	Lost                      string // what to do without a token, where none can be asked for

	App, AppName string
}

// askForm asks for another mail.
type askForm struct {
	Text, Button, Done, Document, Field string
}

// accountPages are the pages by the purpose of the token.
var accountPages = map[string]accountPage{
	"verify-email": {
		Title: "Confirm your address", Text: "Confirm that this email address is yours.", Button: "Confirm the address",
		Done: "The address is confirmed. You can sign in now.", Document: accept("verifyEmail", "VerifyEmailInput"),
		Ask: &askForm{
			Text: "Give the address that you signed up with, and a mail brings a new link.", Button: "Send the mail",
			Done:     "If this address is waiting to be confirmed, a mail with a link is on its way. It may take a few minutes.",
			Document: accept("requestEmailVerification", "RequestEmailVerificationInput"), Field: "email",
		},
	},
	"reset-password": {
		Title: "Set a new password", Text: "With the new password every device has to sign in again.", Button: "Set the password",
		Done: "The password is set. Sign in with it now.", Document: accept("resetPassword", "ResetPasswordInput"),
		Field: "newPassword", Password: true,
		Ask: &askForm{
			Text: "Give the address of your account, and a mail brings a link for a new password.", Button: "Send the mail",
			Done:     "If there is an account with this address, a mail with a link is on its way. It may take a few minutes.",
			Document: accept("requestPasswordReset", "RequestPasswordResetInput"), Field: "email",
		},
	},
	"change-email": {
		Title: "Change your address", Text: "From now on you sign in with the new address. Other devices are signed out.",
		Button: "Change the address", Done: "The address is changed.", Document: accept("confirmEmailChange", "ConfirmEmailChangeInput"),
		Lost: "Ask for the change again where you are signed in, and open the link of the mail that comes.",
	},
	"revert-email": {
		Title: "Undo the change of your address",
		Text: "Your account gets its former address back. Every device is signed out, API keys are revoked, " +
			"and a mail brings a link for a new password.",
		Button: "Undo the change", Done: "The former address is back. A mail with a link for a new password is on its way.",
		Document: accept("revertEmailChange", "RevertEmailChangeInput"),
		Lost:     "Open this page by the link of the mail that told you of the change.",
	},
	"reactivate": {
		Title: "Take your account back", Text: "Your account is deactivated, and would be deleted with everything in it.",
		Button: "Reactivate the account", Done: "The account is back as it was. You can sign in now.",
		Document: accept("reactivateAccount", "ReactivateAccountInput"),
		Lost:     "Open this page by the link of the mail that told you of the deactivation.",
	},
}

// accept is the document of a mutation that answers whether it was accepted.
func accept(mutation, input string) string {
	return fmt.Sprintf("mutation($input: %s!) { %s(input: $input) { accepted errors { code message field } } }", input, mutation)
}

// AccountDocuments are what the pages send, for servers that take no others than those they know.
func AccountDocuments() []string {
	var documents []string
	for _, page := range accountPages {
		documents = append(documents, page.Document)
		if page.Ask != nil {
			documents = append(documents, page.Ask.Document)
		}
	}
	return documents
}

// Account serves the pages, their script and their style. app is where people go on to afterwards; "" leaves them there.
func Account(app string) http.Handler {
	layout := template.Must(template.ParseFS(accountFiles, "account/page.html"))
	pages := map[string][]byte{}
	for purpose, page := range accountPages {
		page.App, page.AppName = app, app
		if u, err := url.Parse(app); err == nil && u.Host != "" {
			page.AppName = u.Host
		}
		var text bytes.Buffer
		if err := layout.Execute(&text, page); err != nil {
			panic(err) // both are constants
		}
		pages[purpose] = text.Bytes()
	}
	return getOnly(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, AccountPath)
		page, found := pages[name]
		if !found {
			serveAccountFile(w, r, name)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", accountPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(page)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(page)
		}
	})
}

// serveAccountFile serves the script or the style. Browsers ask each time whether it is still the same.
func serveAccountFile(w http.ResponseWriter, r *http.Request, name string) {
	contentType, known := contentTypes[path.Ext(name)]
	content, err := accountFiles.ReadFile("account/" + name)
	if !known || err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", contentType)
	h.Set("ETag", `"`+hash(content)+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
