package pages

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// verb is what a text has in the place of what the page puts there.
var verb = regexp.MustCompile(`%(\[[0-9]+\])?(.)?`)

// dateParts are what a date is made of.
var dateParts = []string{"{day}", "{month}", "{year}", "{hour}", "{minute}"}

// checkText finds what is wrong with a text: that it is empty, or that it does not
// take what the English one takes. See Texts.each for keys.
func checkText(key, text string, english map[string]string) error {
	if strings.TrimSpace(text) == "" {
		return fmt.Errorf("%s is empty: leave it out to have the default", key)
	}
	if key == "Date" {
		for _, part := range dateParts {
			if strings.Count(text, part) != 1 {
				return fmt.Errorf("%s must have %s once each", key, strings.Join(dateParts, " "))
			}
		}
	}
	like, ok := english[key]
	if name, _, isForm := strings.Cut(key, "."); !ok && isForm {
		like = english[name+".other"] // a form that English has not; "" for a scope
	}
	got, want := verbsOf(text), verbsOf(like)
	if slices.Equal(got, want) {
		return nil
	}
	if len(want) == 0 {
		return fmt.Errorf("%s must have no %%: nothing is put into this text", key)
	}
	return fmt.Errorf("%s must have %s as the English text does: %s", key, strings.Join(want, " and "), like)
}

// verbsOf returns the verbs of a text, in the order of what they take.
func verbsOf(text string) []string {
	found := verb.FindAllStringSubmatch(text, -1)
	verbs := make([]string, len(found))
	for i, f := range found {
		at := f[1]
		if at == "" {
			at = fmt.Sprintf("[%d]", i+1)
		}
		verbs[i] = "%" + at + f[2]
	}
	slices.Sort(verbs)
	return verbs
}
