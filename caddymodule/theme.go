package caddymodule

// Theme is how the login, consent, account and error pages look.
type Theme struct {
	// The name above the form. Default: the host of the issuer
	Name string `json:"name,omitempty"`

	// A picture above the form: an https URL, or a path on the issuer's host
	// that another route serves. Default: none.
	Logo string `json:"logo,omitempty"`

	// The colour of buttons and links, as #rgb or #rrggbb. Default: a blue
	Color string `json:"color,omitempty"`
}
