package issuertest

import (
	"fmt"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// storyOfFlood: who has a dead token can neither fill the store with requests
// nor push the reason of its end out of the history.
func storyOfFlood(c *core) {
	ctx := c.t.Context()
	first := c.login("local|alice").RefreshToken
	id := c.family("local|alice")
	second := storetest.Must(c.present(c.from("192.0.2.1", "Firefox", "used"), first))(c.t).RefreshToken
	for n := range 40 { // within the leeway
		storetest.Must(c.present(c.from("192.0.2.1", "Firefox", fmt.Sprint("again", n)), first))(c.t)
	}
	storetest.Must(c.present(c.from("192.0.2.1", "Firefox", "r1"), second))(c.t)
	if _, err := c.present(c.from("203.0.113.9", "curl", "r2"), first); err == nil {
		c.t.Fatal("a grandparent passed")
	}
	for n := range 40 {
		if _, err := c.present(c.from("203.0.113.9", fmt.Sprint("curl", n), fmt.Sprint("r", 10+n)), first); err == nil {
			c.t.Fatal("an ended family refreshes")
		}
	}
	c.story(id, "begun", "used 192.0.2.1 Firefox", "replayed 192.0.2.1 Firefox again0", "replayed 192.0.2.1 Firefox again1",
		"replayed 192.0.2.1 Firefox again2", "reused 203.0.113.9 curl r2", "refused unknown 203.0.113.9 curl0 r10",
		"refused unknown 203.0.113.9 curl1 r11", "refused unknown 203.0.113.9 curl2 r12")
	if e, _, err := c.Explain(ctx, id.String()); err != nil || e.Verdict != admin.VerdictTheft {
		c.t.Errorf("the verdict is %s, %v", e.Verdict, err)
	}
}
