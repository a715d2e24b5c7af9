package handler

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A known browser is one in which somebody has signed in before: its tries to
// sign in to that account are counted on their own, so that guesses from
// elsewhere do not keep the person out of it. The cookie that says so gives no
// access, only this allowance. See OWASP, "Slow Down Online Guessing Attacks
// with Device Cookies".
//
// It holds a mark for each account, the newest first: a random id, the day of
// its making, and a MAC over both, the subject, and the fingerprint of the
// password. So it names nobody, it is good at every gateway with the secret, and
// a new password makes those who knew the old one strangers again.
type knownMark struct {
	id   [16]byte
	made uint32 // days since 1970
	mac  [secrets.MACSize]byte
}

const (
	// knownMarks is how many accounts one browser is known for.
	knownMarks = 5
	// knownFor is how long, in days: what browsers keep a cookie for at most
	// (RFC 6265bis §5.5). Each sign-in begins it anew.
	knownFor     = 400
	knownMarkLen = 16 + 4 + secrets.MACSize
)

// knownAs names the browser that a request comes from if it is known for the
// account, "" otherwise. It takes as long for an account that does not exist.
func (s *Server) knownAs(r *http.Request, l login.Password, subject string) string {
	mark, ok := s.markFor(s.marks(r), subject, l.Fingerprint(storage.TagSubject(subject)))
	if !ok {
		return ""
	}
	return string(mark.id[:])
}

// rememberBrowser makes the browser known for an account that somebody has just
// signed in to. It keeps its id, and with it its count, if it was known before.
func (s *Server) rememberBrowser(w http.ResponseWriter, r *http.Request, profile tokens.Profile) {
	marks := s.marks(r)
	mark, known := s.markFor(marks, profile.Subject, profile.Fingerprint)
	if !known {
		_, _ = rand.Read(mark.id[:]) // never fails
	}
	mark.made = s.today()
	mark.mac = s.Secrets().MAC(secrets.PurposeBrowser, mark.parts(profile.Subject, profile.Fingerprint)...)
	texts := []string{mark.text()}
	for _, other := range marks {
		if other.id != mark.id && len(texts) < knownMarks {
			texts = append(texts, other.text())
		}
	}
	s.keepCookie(w, s.cookies.known, strings.Join(texts, "."), knownFor*24*60*60)
}

// markFor returns the mark that is for the account.
func (s *Server) markFor(marks []knownMark, subject string, f storage.Fingerprint) (found knownMark, ok bool) {
	for _, m := range marks {
		if _, fits := s.Secrets().CheckMAC(secrets.PurposeBrowser, m.mac[:], m.parts(subject, f)...); fits && f != (storage.Fingerprint{}) {
			found, ok = m, true
		}
	}
	return found, ok
}

// marks reads the cookie. What is no mark, or is too old, is left out.
func (s *Server) marks(r *http.Request) []knownMark {
	var marks []knownMark
	texts := strings.Split(wire.Cookie(r, s.cookies.known), ".")
	for _, text := range texts[:min(len(texts), knownMarks)] {
		b, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(b) != knownMarkLen {
			continue
		}
		m := knownMark{id: [16]byte(b), made: binary.BigEndian.Uint32(b[16:]), mac: [secrets.MACSize]byte(b[20:])}
		if s.today() < m.made+knownFor {
			marks = append(marks, m)
		}
	}
	return marks
}

func (s *Server) today() uint32 {
	return uint32(s.Clock().Unix() / int64(24*time.Hour/time.Second))
}

// parts are what the MAC is over.
func (m *knownMark) parts(subject string, f storage.Fingerprint) [][]byte {
	return [][]byte{m.id[:], binary.BigEndian.AppendUint32(nil, m.made), []byte(subject), f[:]}
}

func (m *knownMark) text() string {
	b := make([]byte, 0, knownMarkLen)
	b = append(b, m.id[:]...)
	b = binary.BigEndian.AppendUint32(b, m.made)
	return base64.RawURLEncoding.EncodeToString(append(b, m.mac[:]...))
}
