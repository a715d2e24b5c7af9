package tokens

import "context"

// Origin is where a request came from, as far as it told us: for the histories
// that people and operators read, and for limits. Nothing else is decided by it.
type Origin struct {
	// Address is the client's IP address, trusted proxies considered.
	Address string
	// RequestID returns the id by which the log names the request; nil for none.
	RequestID func() string
	// Device returns the name of the device, such as "Firefox on Linux"; nil for none.
	Device func() string
}

type originKey struct{}

// WithOrigin puts the origin of a request into its context.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// originFrom returns the origin in a context; the zero value for background work.
func originFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

func (o Origin) requestID() string { return called(o.RequestID) }
func (o Origin) device() string    { return called(o.Device) }

func called(f func() string) string {
	if f == nil {
		return ""
	}
	return f()
}
