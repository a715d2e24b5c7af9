// Package pages renders the few HTML pages that people see: plain, fast,
// without JavaScript, in the visitor's dark or light scheme.
package pages

// Theme is how an operator makes the pages their own.
type Theme struct {
	Name  string // of the organisation; "" is "Gatehouse"
	Logo  string // a path on the same origin or a data: URL of an image; "" for none
	Color string // the accent as #rgb or #rrggbb; "" for the default
}

// Check reports what is wrong with a theme, and the mend.
func (t Theme) Check() error { return nil }

// Set is the pages in one theme.
type Set struct{}

// New renders the parts that are the same on each page.
func New(t Theme) (*Set, error) { return &Set{}, t.Check() }
