package handler

import (
	"strconv"
	"strings"
	"testing"
)

func TestDeviceName(t *testing.T) {
	for _, tt := range []struct{ name, header, want string }{
		{"Firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"},
		{"Chrome", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"},
		{"Edge", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"},
		{"Safari", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "Safari on macOS"},
		{"iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"},
		{"a program", "curl/8.5.0", "curl"},
		{"none", "", ""},
		{"markup", `<script>alert(1)</script>`, ""},
		{"control characters", "a\x1b[31m\r\nb", ""},
		{"very long", strings.Repeat("x", 1<<16), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var names deviceNames
			for range 2 { // read, and remembered
				if got := names.of(tt.header); got != tt.want {
					t.Errorf("name %q, want %q", got, tt.want)
				}
			}
		})
	}
}

// TestDeviceNamesBounded: headers that strangers make up do not fill the memory.
func TestDeviceNamesBounded(t *testing.T) {
	var names deviceNames
	for i := range 3 * maxDeviceNames {
		names.of("agent/" + strconv.Itoa(i) + strings.Repeat("x", 1<<12))
	}
	if n := len(names.known); n > maxDeviceNames {
		t.Errorf("%d headers are remembered", n)
	}
	for header := range names.known {
		if len(header) > maxUserAgent {
			t.Fatalf("%d bytes of a header are remembered", len(header))
		}
	}
}
