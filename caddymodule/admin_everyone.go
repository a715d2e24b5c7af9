package caddymodule

import "time"

// endedEveryone answers POST /oauth/everyone/end.
type endedEveryone struct {
	Until time.Time `json:"until"` // what was begun or issued at or before it is over
}

func (a *adminAPI) endEveryone(c *adminCall) (any, error) {
	c.patient()
	until, err := a.operator().EndEveryone(c.Context())
	if err != nil {
		return nil, coreError(err)
	}
	return endedEveryone{Until: until.UTC()}, nil
}
