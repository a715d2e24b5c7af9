package handler

import (
	"strings"
	"sync"

	"github.com/mileusna/useragent"
)

// maxUserAgent bounds what is read of a User-Agent header, which may be anything.
const maxUserAgent = 512

// maxDeviceNames bounds how many of them are remembered.
const maxDeviceNames = 2048

// deviceNames remembers what User-Agent headers say: to read one takes longer than
// all else that a refresh does beside its signature, and a few are sent again and again.
type deviceNames struct {
	mu    sync.RWMutex
	known map[string]string
}

// of is deviceName.
func (d *deviceNames) of(header string) string {
	header = header[:min(len(header), maxUserAgent)]
	d.mu.RLock()
	name, known := d.known[header]
	d.mu.RUnlock()
	if known {
		return name
	}
	name = deviceName(header)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= maxDeviceNames {
		d.known = make(map[string]string)
	}
	d.known[strings.Clone(header)] = name
	return name
}

// deviceName says in a few words what sent a User-Agent header: the browser or
// program, and what it runs on, as far as that is known. "" for no header.
func deviceName(header string) string {
	ua := useragent.Parse(header)
	name, system := nameOnly(ua.Name), nameOnly(ua.OS)
	if ua.Device != "" {
		system = nameOnly(ua.Device)
	}
	switch {
	case name != "" && system != "":
		return name + " on " + system
	case name != "":
		return name
	}
	return system
}

// nameOnly returns a short name of letters, digits and few signs; "" for any other.
func nameOnly(s string) string {
	const signs = " .-_/()"
	if len(s) > 40 || strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(signs, c)
	}) {
		return ""
	}
	return s
}
