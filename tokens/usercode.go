package tokens

import (
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// userCodeLetters are those of user codes: no vowels, so that no words come
// about, and none that look alike. See RFC 8628 §6.1.
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// userCodeLength makes 20^8 codes, 34 bits: see RFC 8628 §5.1.
const userCodeLength = 8

// newUserCode draws a user code.
func newUserCode(rand io.Reader) (string, error) {
	const fair = 256 - 256%len(userCodeLetters) // beyond it some letters would come more often
	code := make([]byte, 0, userCodeLength)
	for b := make([]byte, 1); len(code) < userCodeLength; {
		if _, err := io.ReadFull(rand, b); err != nil {
			return "", fmt.Errorf("reading randomness: %w", err)
		}
		if int(b[0]) < fair {
			code = append(code, userCodeLetters[int(b[0])%len(userCodeLetters)])
		}
	}
	return string(code), nil
}

// maxTyped bounds what a person may type for a user code, in bytes.
const maxTyped = 64

// ParseUserCode reads a user code as people type it: in any case, with
// anything between the letters. See RFC 8628 §6.1.
func ParseUserCode(typed string) (string, bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	code := strings.Map(func(r rune) rune {
		if strings.ContainsRune(userCodeLetters, r) {
			return r
		}
		return -1
	}, strings.ToUpper(typed))
	return code, len(code) == userCodeLength
}

// FormatUserCode writes a user code as people read it: in two groups.
func FormatUserCode(code string) string {
	return code[:userCodeLength/2] + "-" + code[userCodeLength/2:]
}

// userCodeIDs returns the names of a request under each of the secrets, that
// of the minting one first: nodes may change their secrets while a person types.
func userCodeIDs(s *secrets.Secrets, code string) []storage.DeviceID {
	macs := s.MACs(secrets.PurposeUserCode, []byte(code))
	ids := make([]storage.DeviceID, len(macs))
	for i, mac := range macs {
		ids[i] = storage.DeviceID(mac)
	}
	return ids
}
