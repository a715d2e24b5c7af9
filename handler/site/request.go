package site

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// kind is what a browser, or another program, does with the answer to a request.
type kind uint8

const (
	program    kind = iota // a script, a tool, a part of a page: no page is of use to it
	navigation             // a person opens a page
	framed                 // a page opens in a frame of another one
	posted                 // a person has sent a form
	prefetched             // a browser looks ahead; a person may never come
)

// kindOf tells what is behind a request. Browsers say so in Sec-Fetch headers, but on plain
// http and old ones; those that do not, accept text/html by name where they open a
// page. See Fetch Metadata Request Headers §2.
func kindOf(r *http.Request) kind {
	h := r.Header
	if wire.LoadedAhead(h) {
		return prefetched
	}
	if isUpgrade(r) || h.Get("X-Requested-With") != "" || h.Get("Service-Worker") != "" {
		return program
	}
	dest, opens := h.Get("Sec-Fetch-Dest"), h.Get("Sec-Fetch-Mode") == "navigate"
	if !hasFetchMetadata(h) {
		opens = acceptsHTML(h)
	}
	switch {
	case !opens:
		return program
	case dest != "" && dest != "document" && dest != "empty": // which it is after a service worker
		return framed
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return navigation
	case r.Method == http.MethodPost:
		return posted
	}
	return program
}

func hasFetchMetadata(h http.Header) bool {
	return h.Get("Sec-Fetch-Site") != "" || h.Get("Sec-Fetch-Mode") != "" || h.Get("Sec-Fetch-Dest") != ""
}

// acceptsHTML reports whether a request asks for text/html by name: `*/*` is what tools send.
func acceptsHTML(h http.Header) bool {
	for _, line := range h["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}

// isUpgrade reports whether a request leaves HTTP behind: a WebSocket, also by extended
// CONNECT (RFC 8441 §4).
func isUpgrade(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect
}

// isSafe reports whether a method changes nothing. See RFC 9110 §9.2.1.
func isSafe(r *http.Request) bool {
	if isUpgrade(r) {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// byPerson reports whether somebody does something, and no page by itself: opens a page, or
// changes something.
func byPerson(r *http.Request) bool {
	return kindOf(r) == navigation || !isSafe(r) && !isUpgrade(r)
}

// isBrowser reports whether a browser sends the request, as far as can be told: none gets a
// Basic challenge.
func isBrowser(r *http.Request) bool {
	return hasFetchMetadata(r.Header) || strings.HasPrefix(r.Header.Get("User-Agent"), "Mozilla/")
}

// sentByOwnPages reports whether a request that a cookie lets in may come from where it
// comes: cookies go along with requests of sibling origins and other ports too.
// Sec-Fetch-Site decides; where it is absent, the Origin must be the configured one.
// Links from anywhere may open a page.
func sentByOwnPages(r *http.Request, own string) bool {
	from := r.Header["Sec-Fetch-Site"]
	if len(from) > 1 {
		return false
	}
	safe := isSafe(r)
	if len(from) == 0 {
		origin := r.Header["Origin"]
		return safe || len(origin) == 1 && origin[0] == own
	}
	navigates := r.Header.Get("Sec-Fetch-Mode") == "navigate" && !isUpgrade(r)
	switch from[0] {
	case "same-origin":
		return true
	case "none": // the person, by the address bar or a bookmark
		return safe || navigates
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "empty":
		return safe && navigates
	}
	return false
}
