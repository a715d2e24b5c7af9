package pages

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Plural is one text in the forms that a language has for numbers, by the names of
// Unicode's plural rules: zero, one, two, few, many, other. See Unicode TR35 §3.5.
type Plural map[string]string

// formNames are the names of the forms.
var formNames = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
}

// formFor returns the name of the form that a language has for a whole number.
func formFor(lang string, n int) string {
	return formNames[plural.Cardinal.MatchPlural(language.Make(lang), n, 0, 0, 0, 0)]
}

// count writes a number and what it counts.
func (t *Texts) count(p Plural, n int) string {
	text, ok := p[formFor(t.Lang, n)]
	if !ok {
		text = p["other"]
	}
	return fmt.Sprintf(text, n)
}

// Wait says how long something takes: rounded up, to seconds or, above two
// minutes, to minutes.
func (t *Texts) Wait(wait time.Duration) string {
	if wait > 2*time.Minute {
		return t.count(t.Minutes, int(1+(wait-1)/time.Minute))
	}
	return t.count(t.Seconds, int(max(1, 1+(wait-1)/time.Second)))
}

// TryAfter asks a person to wait, and says how long.
func (t *Texts) TryAfter(wait time.Duration) string { return fmt.Sprintf(t.TryLater, t.Wait(wait)) }

// ProviderDown says that nobody can sign in at a provider just now.
func (t *Texts) ProviderDown(label string) string { return fmt.Sprintf(t.Unreachable, label) }

// ProviderBroken says that nobody can sign in at a provider until somebody acts.
func (t *Texts) ProviderBroken(label string) string { return fmt.Sprintf(t.Broken, label) }

// StillAt says that a person may still be signed in at a provider.
func (t *Texts) StillAt(label string) string { return fmt.Sprintf(t.StillInAt, label) }

// Scope says what a scope allows, and whether there are words for it.
func (t *Texts) Scope(name string) (text string, ok bool) {
	if text, ok = t.Scopes[name]; ok {
		return text, true
	}
	return fmt.Sprintf(t.OtherScope, name), false
}

// Device names a device, which is "Firefox on Linux" in a history, "" where nobody knows.
func (t *Texts) Device(kept string) string {
	if kept == "" {
		return t.DeviceUnknown
	}
	if program, system, ok := strings.Cut(kept, " on "); ok {
		return fmt.Sprintf(t.DeviceOn, program, system)
	}
	return kept
}

// DateOf writes a moment, to the minute and in UTC.
func (t *Texts) DateOf(at time.Time) string {
	at = at.UTC()
	return strings.NewReplacer(
		"{day}", strconv.Itoa(at.Day()), "{month}", t.Months[at.Month()-1], "{year}", strconv.Itoa(at.Year()),
		"{hour}", at.Format("15"), "{minute}", at.Format("04"),
	).Replace(t.Date)
}

// At writes a text whose %s is a moment, which a script may show in the person's own time.
func (t *Texts) At(text string, at time.Time) template.HTML {
	return marked("time", ` datetime="`+at.UTC().Format("2006-01-02T15:04Z")+`"`, text, t.DateOf(at))
}

// strong writes a text whose %s is an application or an account.
func strong(text, what string) template.HTML { return marked("strong", "", text, what) }

// code writes a text whose %s is for machines.
func code(text, what string) template.HTML { return marked("code", "", text, what) }

func marked(element, attributes, text, what string) template.HTML {
	before, after, _ := strings.Cut(fmt.Sprintf(text, "\x00"), "\x00")
	escape := template.HTMLEscapeString
	return template.HTML(escape(before) + "<" + element + attributes + ">" + escape(what) + "</" + element + ">" + escape(after)) //nolint:gosec // escaped
}
