package smtp

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"kyrochat/internal/script"
)

// adminPath is where an emulator is told over HTTP what tests tell it from Go.
//
//	POST   /_emulator/script  a script, or a list of scripts, in JSON: they are added
//	GET    /_emulator/script  those in force
//	DELETE /_emulator/script  take them back
//	GET    /_emulator/mails   the mails so far; ?to=ada@example.com for those to an address
//	DELETE /_emulator/mails   forget them
//	POST   /_emulator/down    refuse connections
//	POST   /_emulator/up      take them again
const adminPath = "/_emulator/"

func (e *Emulator) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+adminPath+"script", func(w http.ResponseWriter, r *http.Request) {
		list, err := script.Read[Script](r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.Script(list...)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET "+adminPath+"script", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, e.Scripts()) })
	mux.HandleFunc("DELETE "+adminPath+"script", func(w http.ResponseWriter, _ *http.Request) {
		e.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET "+adminPath+"mails", func(w http.ResponseWriter, r *http.Request) {
		list := e.Mails()
		if to := r.URL.Query().Get("to"); to != "" {
			list = slices.DeleteFunc(list, func(m Mail) bool { return !To(to, "")(m) })
		}
		writeJSON(w, list)
	})
	mux.HandleFunc("DELETE "+adminPath+"mails", func(w http.ResponseWriter, _ *http.Request) {
		e.Forget()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST "+adminPath+"down", func(w http.ResponseWriter, _ *http.Request) {
		e.Down()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST "+adminPath+"up", func(w http.ResponseWriter, _ *http.Request) {
		if err := e.Up(); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(strings.TrimSpace(string(text)) + "\n"))
}
