package tokens

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// section is the part of a page of docs/ below a heading.
func section(t *testing.T, page, title string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(text), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("docs/%s has no section %s", page, title)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	return part
}

// membersOf are the names in JSON that a struct can have.
func membersOf(value any) (names []string) {
	for field := range reflect.TypeOf(value).Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// TestClaimsAreDocumented: docs/claims.md names each claim and member of what is made here.
func TestClaimsAreDocumented(t *testing.T) {
	idToken := slices.Concat(profileClaims, []string{
		"iss", "sub", "aud", "iat", "exp", "sid", "auth_time", "acr", "amr", "nonce", "email", "email_verified", ClaimGroups,
	})
	for _, c := range []struct {
		title string
		names []string
	}{
		{"ID token", idToken},
		{"Access token", membersOf(accessClaims{})},
		{"Introspection", membersOf(Introspection{})},
		{"The token answer", membersOf(TokenResponse{})},
	} {
		text := strings.Join(regexp.MustCompile(`(?m)^\|.*$`).FindAllString(section(t, "claims.md", c.title), -1), "\n")
		for _, name := range c.names {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s: docs/claims.md does not have %s", c.title, name)
			}
		}
		var shown []string
		for _, line := range regexp.MustCompile("(?m)^\\| (`[a-z_` ]+`) \\|").FindAllStringSubmatch(text, -1) {
			shown = append(shown, strings.Fields(strings.ReplaceAll(line[1], "`", " "))...)
		}
		for _, name := range shown {
			if !slices.Contains(c.names, name) {
				t.Errorf("%s: docs/claims.md has %s, which there is not", c.title, name)
			}
		}
		if len(shown) < 5 {
			t.Errorf("%s: found %d claims", c.title, len(shown))
		}
	}
}

// TestParameterBoundsAreDocumented: docs/security.md has the bound of each parameter.
func TestParameterBoundsAreDocumented(t *testing.T) {
	bounds := oauth.ParamLimits()
	for line := range strings.Lines(section(t, "security.md", "Limits on requests")) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, m := range regexp.MustCompile("`([A-Za-z_]+)`").FindAllStringSubmatch(cells[1], -1) {
			name := m[1]
			bound, ok := bounds[name]
			if !ok && !strings.Contains(cells[2], "a length of its own") {
				t.Errorf("%s has no bound", name)
			}
			want := strings.ReplaceAll(strings.TrimSpace(cells[2]), ",", "")
			if ok && want != strconv.Itoa(bound) {
				t.Errorf("%s: at most %d bytes, the page has %s", name, bound, want)
			}
			delete(bounds, name)
		}
	}
	for name := range bounds {
		t.Errorf("docs/security.md does not have the bound of %s", name)
	}
}
