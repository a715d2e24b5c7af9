package oauth

import (
	"time"
)

// DefaultLeeway is how far clocks may differ. RFC 7519 §4.1.4 allows "no more
// than a few minutes"; the FAPI 2.0 conformance suite wants tokens from 10 s ahead accepted.
const DefaultLeeway = 10 * time.Second

// MaxLeeway is the most that New takes.
const MaxLeeway = time.Minute
