package oauth

import "context"

// Requester is who sent a request, as far as it told us: for the histories
// that people and operators read, and for limits. Nothing else is decided by it.
type Requester struct {
	// Address is the client's IP address, trusted proxies considered.
	Address string
	// RequestID returns the id by which the log names the request; nil for none.
	RequestID func() string
	// Device returns the name of the device, such as "Firefox on Linux"; nil for none.
	Device func() string
}

type requesterKey struct{}

// WithRequester puts the sender of a request into its context.
func WithRequester(ctx context.Context, r Requester) context.Context {
	return context.WithValue(ctx, requesterKey{}, r)
}

// RequesterFrom returns the sender of the request of a context; the zero value for background work.
func RequesterFrom(ctx context.Context) Requester {
	r, _ := ctx.Value(requesterKey{}).(Requester)
	return r
}

// ID returns the id by which the log names the request, or "".
func (r Requester) ID() string { return called(r.RequestID) }

// DeviceName returns the name of the device, such as "Firefox on Linux", or "".
func (r Requester) DeviceName() string { return called(r.Device) }

func called(f func() string) string {
	if f == nil {
		return ""
	}
	return f()
}
