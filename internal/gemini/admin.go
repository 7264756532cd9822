package gemini

import (
	"encoding/json"
	"errors"
	"net/http"

	"kyrochat/internal/script"
)

// adminPath is where an emulator is told over HTTP what tests tell it from Go; no key is asked for.
//
//	POST   /_emulator/script    a script, or a list of scripts, in JSON: they are added
//	GET    /_emulator/script    those in force
//	DELETE /_emulator/script    take them back
//	GET    /_emulator/requests  the requests so far; ?kind=answer for those of a kind
//	DELETE /_emulator/requests  forget them
//	POST   /_emulator/alike     a list of words that mean the same to embeddings
const adminPath = "/_emulator/"

func (e *Emulator) adminRoutes() {
	e.routes.HandleFunc("POST "+adminPath+"script", func(w http.ResponseWriter, r *http.Request) {
		list, err := script.Read[Script](r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.Script(list...)
		w.WriteHeader(http.StatusNoContent)
	})
	e.routes.HandleFunc("GET "+adminPath+"script", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, e.Scripts())
	})
	e.routes.HandleFunc("DELETE "+adminPath+"script", func(w http.ResponseWriter, _ *http.Request) {
		e.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	e.routes.HandleFunc("GET "+adminPath+"requests", func(w http.ResponseWriter, r *http.Request) {
		list := e.Requests()
		if kind := r.URL.Query().Get("kind"); kind != "" {
			list = e.RequestsOf(Kind(kind))
		}
		writeJSON(w, http.StatusOK, list)
	})
	e.routes.HandleFunc("DELETE "+adminPath+"requests", func(w http.ResponseWriter, _ *http.Request) {
		e.Forget()
		w.WriteHeader(http.StatusNoContent)
	})
	e.routes.HandleFunc("POST "+adminPath+"alike", func(w http.ResponseWriter, r *http.Request) {
		words, err := readWords(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.Alike(words...)
		w.WriteHeader(http.StatusNoContent)
	})
}

func readWords(r *http.Request) (words []string, err error) {
	err = json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&words)
	if err == nil && len(words) == 0 {
		err = errors.New("a list of words is needed")
	}
	return words, err
}
