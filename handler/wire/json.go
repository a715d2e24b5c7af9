package wire

import (
	"encoding/json"
	"net/http"
)

// NoStore keeps an answer out of every cache. See RFC 6749 §5.1.
func NoStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

// WriteJSON writes an answer that no cache keeps.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	b, err := json.Marshal(body)
	if err != nil { // no type that we write can fail
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	NoStore(h)
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// publicCache is how long others may keep the public documents and keys.
const publicCache = "public, max-age=300"

// WritePublic sends a JSON document that anyone may keep for a while.
func WritePublic(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", publicCache)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
}
