package pages

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func testSet(t *testing.T) *Set {
	t.Helper()
	s, err := New(Theme{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each language has exactly the texts of the struct, none empty, with the same verbs
// in them, and the plural forms that its numbers need.
func TestEveryLanguageHasEveryText(t *testing.T) {
	all, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, []string{"de", "en", "es", "fr", "ja"}) {
		t.Errorf("languages %q", got)
	}
	var want []string
	for field := range reflect.TypeFor[Texts]().Fields() {
		if field.Name != "Lang" {
			want = append(want, field.Name)
		}
	}
	slices.Sort(want)
	in := make(map[string]string)
	all[english].each(func(key, text string) { in[key] = text })
	for lang, texts := range all {
		b, err := textFiles.ReadFile("texts/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		keys := make(map[string]json.RawMessage)
		if err := json.Unmarshal(b, &keys); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, want) {
			t.Errorf("%s: the members are not the fields of Texts: %s", lang, difference(got, want))
		}
		if n := strings.Count(string(b), "\": "); n != len(keys)+len(texts.Scopes)+len(texts.Seconds)+len(texts.Minutes) {
			t.Errorf("%s: %d members are written, some twice", lang, n)
		}
		for name, p := range map[string]Plural{"Seconds": texts.Seconds, "Minutes": texts.Minutes} {
			if got, want := slices.Sorted(maps.Keys(p)), formsOf(lang); !slices.Equal(got, want) {
				t.Errorf("%s: %s has the forms %q, its numbers need %q", lang, name, got, want)
			}
		}
		if got, want := slices.Sorted(maps.Keys(texts.Scopes)), slices.Sorted(maps.Keys(all[english].Scopes)); !slices.Equal(got, want) {
			t.Errorf("%s: texts for the scopes %q, English has %q", lang, got, want)
		}
		texts.each(func(key, text string) {
			if err := checkText(key, text, in); err != nil {
				t.Errorf("%s: %v", lang, err)
			}
			if lang != english && text == in[key] && !slices.Contains(sameAsEnglish[lang], key) {
				t.Errorf("%s: %s is English", lang, key)
			}
		})
	}
}

// sameAsEnglish are texts that a language has in common with English.
var sameAsEnglish = map[string][]string{
	"de": {"UserCode", "Minutes.one", "Months.3", "Months.7", "Months.8", "Months.10"},
	"fr": {"UserCode", "Minutes.one", "Minutes.other"},
}

func difference(got, want []string) string {
	var out []string
	for _, g := range got {
		if !slices.Contains(want, g) {
			out = append(out, "+"+g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			out = append(out, "-"+w)
		}
	}
	return strings.Join(out, " ")
}

// formsOf are the plural forms of the numbers that pages show.
func formsOf(lang string) []string {
	forms := make(map[string]bool)
	for n := range 200 {
		forms[formFor(lang, n)] = true
	}
	return slices.Sorted(maps.Keys(forms))
}

func TestCheckText(t *testing.T) {
	in := map[string]string{"A": "plain", "B": "to %s", "C": "%d of %d", "D.one": "%d", "D.other": "%d", "Date": "{day} {month} {year} {hour} {minute}"}
	for _, tc := range []struct {
		key, text string
		ok        bool
	}{
		{"A", "anything", true},
		{"A", "", false},
		{"A", " \n", false},
		{"A", "with %s", false},
		{"A", "100 %", false},
		{"B", "%s!", true},
		{"B", "nothing", false},
		{"B", "%d", false},
		{"B", "%s and %s", false},
		{"C", "%d/%d", true},
		{"C", "%[2]d: %[1]d", true},
		{"C", "%[1]d: %[1]d", false},
		{"D.few", "%d", true},
		{"D.few", "few", false},
		{"Date", "{year}-{month}-{day} {hour}:{minute}", true},
		{"Date", "{year}-{month}-{day}", false},
	} {
		if err := checkText(tc.key, tc.text, in); (err == nil) != tc.ok {
			t.Errorf("%s %q: %v, want ok %t", tc.key, tc.text, err, tc.ok)
		}
	}
}

// ui_locales decides, then Accept-Language by its weights, then English.
func TestLanguageOfAPage(t *testing.T) {
	s := testSet(t)
	long := strings.Repeat("a-", 200_000)
	for _, tc := range []struct{ locales, accept, want string }{
		{"", "", "en"},
		{"de", "", "de"},
		{"de-CH-1996", "fr", "de"},
		{"xx-YY ja", "fr", "ja"},
		{"FR-ca", "", "fr"},
		{"../../etc", "", "en"},
		{"xx", "es-MX,es;q=0.9,en;q=0.8", "es"},
		{"", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"},
		{"", "it, fr;q=0.2, es;q=0.5", "es"},
		{"", "en, de", "en"},
		{"", "de;q=0, en;q=0.1", "en"},
		{"", "de;q=0", "en"},
		{"", "de;q=nan, fr;q=-1, es;q=2, ja;q=0.001", "ja"},
		{"", "*", "en"},
		{"", "*, fr;q=0.5", "fr"},
		{"", "de ; q=0.1 , ja;Q=0.3", "ja"},
		{"", ",,;;=,q=1", "en"},
		{"", strings.Repeat("xx,", maxAccepted) + "de", "en"},
		{"", long, "en"},
		{long, "de", "de"},
	} {
		if got := s.In(tc.locales, tc.accept); got.Lang != tc.want {
			t.Errorf("In(%.40q, %.40q) is %s, want %s", tc.locales, tc.accept, got.Lang, tc.want)
		}
	}
	if got := s.Languages(); !slices.Equal(got, []string{"de", "en", "es", "fr", "ja"}) {
		t.Errorf("Languages() = %q", got)
	}
}

// A region that comes alone is for the whole language.
func TestRegions(t *testing.T) {
	l := make(locales)
	brazil, portugal := &Texts{Lang: "pt-BR"}, &Texts{Lang: "pt-PT"}
	l.add(brazil)
	l.add(portugal)
	for tag, want := range map[string]*Texts{"pt": brazil, "pt-AO": brazil, "pt-br": brazil, "pt-PT-x-a": portugal, "p": nil} {
		if got := l.lookUp(tag); got != want {
			t.Errorf("%s: %v, want %v", tag, got, want)
		}
	}
}

// The 429 page said "a moment", whatever its Retry-After.
func TestTryAfter(t *testing.T) {
	s := testSet(t)
	for wait, want := range map[time.Duration]string{
		0:                            "Wait 1 second,",
		time.Millisecond:             "Wait 1 second,",
		time.Second:                  "Wait 1 second,",
		1001 * time.Millisecond:      "Wait 2 seconds,",
		2 * time.Minute:              "Wait 120 seconds,",
		2*time.Minute + time.Second:  "Wait 3 minutes,",
		time.Hour + time.Millisecond: "Wait 61 minutes,",
	} {
		if got := s.In("en", "").TryAfter(wait); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", wait, got, want)
		}
	}
	for lang, want := range map[string][2]string{
		"de": {"1 Sekunde ", "7 Sekunden "}, "fr": {"1 seconde ", "7 secondes "}, "es": {"1 segundo ", "7 segundos "}, "ja": {"1秒待", "7秒待"},
	} {
		for i, wait := range []time.Duration{time.Second, 7 * time.Second} {
			if got := s.In(lang, "").TryAfter(wait); !strings.Contains(got, want[i]) {
				t.Errorf("%s: %s, want %q", lang, got, want[i])
			}
		}
	}
}

// A language of an operator's has the plural forms that Unicode knows for it.
func TestPluralForms(t *testing.T) {
	polish := &Texts{Lang: "pl", Seconds: Plural{"one": "%d sekundę", "few": "%d sekundy", "many": "%d sekund", "other": "%d sekundy"}}
	for n, want := range map[int]string{1: "1 sekundę", 2: "2 sekundy", 5: "5 sekund", 22: "22 sekundy", 112: "112 sekund"} {
		if got := polish.Wait(time.Duration(n) * time.Second); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := (&Texts{Lang: "pl", Seconds: Plural{"other": "%d s"}}).Wait(time.Second); got != "1 s" {
		t.Errorf("without the form: %q", got)
	}
}

func TestDates(t *testing.T) {
	s := testSet(t)
	at := time.Date(2026, time.March, 5, 23, 7, 0, 0, time.FixedZone("", 3600))
	for lang, want := range map[string]string{
		"en": "5 March 2026, 22:07 UTC", "de": "5. März 2026, 22:07 UTC", "fr": "5 mars 2026 à 22:07 UTC",
		"es": "5 de marzo de 2026, 22:07 UTC", "ja": "2026年3月5日 22:07 UTC",
	} {
		if got := s.In(lang, "").DateOf(at); got != want {
			t.Errorf("%s: %s, want %s", lang, got, want)
		}
	}
}

func TestDeviceNames(t *testing.T) {
	s := testSet(t)
	for _, tc := range []struct{ lang, kept, want string }{
		{"en", "Firefox on Linux", "Firefox on Linux"},
		{"de", "Firefox on Linux", "Firefox unter Linux"},
		{"ja", "Firefox on Linux", "Linux の Firefox"},
		{"fr", "curl", "curl"},
		{"es", "", "Dispositivo desconocido"},
	} {
		if got := s.In(tc.lang, "").Device(tc.kept); got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.lang, tc.kept, got, tc.want)
		}
	}
}

// What a text tells apart stands where the language has it, escaped.
func TestMarked(t *testing.T) {
	for text, want := range map[string]string{
		"to %s":    "to <strong>A&amp;B</strong>",
		"%s に<進む>": "<strong>A&amp;B</strong> に&lt;進む&gt;",
		"[%[1]s]":  "[<strong>A&amp;B</strong>]",
	} {
		if got := string(strong(text, "A&B")); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// No text has a sign by which templates or terminals would read more into it.
func TestTextsArePlain(t *testing.T) {
	odd := regexp.MustCompile(`[<>{}\x00-\x1f\x7f]|  |\.\.\.|'`)
	all, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	for lang, texts := range all {
		texts.each(func(key, text string) {
			if found := odd.FindString(text); found != "" && key != "Date" && (lang != english || found != "'") {
				t.Errorf("%s: %s has %q: %s", lang, key, found, text)
			}
		})
	}
}
