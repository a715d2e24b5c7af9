package pages

import (
	"slices"
	"strconv"
	"strings"
)

// locales are the texts by language tag, in small letters.
type locales map[string]*Texts

// maxAccepted bounds how many languages of a header are looked at.
const maxAccepted = 16

// In returns the texts for the languages that an application asks for, the best first
// and divided by blanks (ui_locales, OpenID Connect Core §3.1.2.1), or else for those
// of an Accept-Language header (RFC 9110 §12.5.4), or else in English.
func (s *Set) In(uiLocales, accept string) *Texts {
	for tag := range strings.FieldsSeq(uiLocales) {
		if t := s.locales.lookUp(tag); t != nil {
			return t
		}
	}
	best, quality, looked := s.locales[english], 0.0, 0
	for item := range strings.SplitSeq(accept, ",") {
		if looked++; looked > maxAccepted {
			break
		}
		tag, parameters, _ := strings.Cut(item, ";")
		if q := qualityOf(parameters); q > quality {
			if t := s.locales.lookUp(strings.TrimSpace(tag)); t != nil {
				best, quality = t, q
			}
		}
	}
	return best
}

// Languages returns the languages that there are texts in, for discovery.
func (s *Set) Languages() []string {
	tags := make([]string, 0, len(s.locales))
	for _, t := range s.locales {
		tags = append(tags, t.Lang)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// qualityOf reads how much somebody wants a language, 1 where it does not say.
// See RFC 9110 §12.4.2.
func qualityOf(parameters string) float64 {
	name, value, ok := strings.Cut(strings.TrimSpace(parameters), "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// maxTag is the length of the longest tag that anybody needs. See RFC 5646 §4.4.1.
const maxTag = 35

// lookUp returns the texts for a language tag, as RFC 4647 §3.4 has it: de-CH finds de.
func (l locales) lookUp(tag string) *Texts {
	if len(tag) > maxTag {
		return nil
	}
	for part := strings.ToLower(tag); part != ""; part = part[:max(strings.LastIndexByte(part, '-'), 0)] {
		if t, ok := l[part]; ok {
			return t
		}
	}
	return nil
}

// add takes in a language. Where it is the first of a region, such as pt-BR, it is for
// those of other regions too.
func (l locales) add(t *Texts) {
	tag := strings.ToLower(t.Lang)
	primary, _, _ := strings.Cut(tag, "-")
	if _, ok := l[primary]; !ok {
		l[primary] = t
	}
	l[tag] = t
}
