package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// errPublicAddress says that a name that http is used with leads out of the network.
var errPublicAddress = errors.New("the address is public, and what comes from there over http may be anybody's: use https")

// errPrivateAddress says that a name led into a network that a public issuer is not in.
var errPrivateAddress = errors.New("the address is private, loopback or link-local: allow it with `allow_private`")

// Access says which servers a client may reach, and how.
type Access struct {
	// AllowPrivate lets them be at private, loopback or link-local addresses.
	AllowPrivate bool
	// Home is a host that may be there in any case, as its operator has written it; "" for none.
	Home string
	// Clear lets http be used, with private addresses alone. With a Home that is this
	// machine it always may.
	Clear bool
	// Direct passes over the HTTPS_PROXY of the environment, where it is strangers who say
	// what is fetched: a proxy would dial what is not seen here.
	Direct bool
	// MaxBytes is how large an answer may be, unpacked; 0 is jose.MaxSetBytes (1 MiB).
	MaxBytes int
	// Roots returns who may vouch for the servers. It is asked for each connection; nil,
	// and a nil pool, are whom the system trusts.
	Roots func() (*x509.CertPool, error)
}

// NewClient makes a client for small requests to servers that others run. It connects
// to public addresses only, unless Access says otherwise; that is checked at the dial,
// when the name is resolved and cannot change any more. An HTTPS_PROXY of the
// environment is honoured unless Access is Direct: then the rule is about the proxy's address, and what the
// proxy dials is not seen here. No connection outlives its answer, which may have
// jose.MaxSetBytes (1 MiB) unpacked, no redirect leaves its origin, and http is for private
// addresses. The time of a request is that of its context.
func NewClient(a Access) *http.Client {
	return &http.Client{Transport: a, CheckRedirect: sameOriginRedirect}
}

// RoundTrip implements http.RoundTripper.
func (a Access) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := a.transport(r.URL)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	res, err := transport.RoundTrip(r)
	if err == nil {
		most := cmp.Or(a.MaxBytes, jose.MaxSetBytes)
		res.Body = &boundedBody{ReadCloser: res.Body, most: most, left: most}
	}
	return res, err
}

// transport refuses an address that is not encrypted, unless it may be in this network.
func (a Access) transport(u *url.URL) (*http.Transport, error) {
	switch {
	case u.Host == "" || u.User != nil:
		return nil, errNotHTTPS
	case u.Scheme == "https":
		return a.encrypted()
	case u.Scheme == "http" && (a.Clear || oauth.IsLoopbackHost(a.Home) && a.atHome(u.Hostname())):
		return &http.Transport{DialContext: a.dialer(privateOnly).DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeaderBytes}, nil
	}
	return nil, errNotHTTPS
}

const maxHeaderBytes = 64 << 10

func (a Access) encrypted() (*http.Transport, error) {
	var roots *x509.CertPool
	if a.Roots != nil {
		var err error
		if roots, err = a.Roots(); err != nil {
			return nil, err
		}
	}
	proxy := http.ProxyFromEnvironment
	if a.Direct {
		proxy = nil
	}
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            a.dial,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    3 * time.Second,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}, nil
}

// dial connects to a host, which is here still as it was written.
func (a Access) dial(ctx context.Context, network, address string) (net.Conn, error) {
	control := publicOnly
	if host, _, err := net.SplitHostPort(address); a.AllowPrivate || err == nil && a.atHome(host) {
		control = nil
	}
	return a.dialer(control).DialContext(ctx, network, address)
}

func (a Access) atHome(host string) bool { return a.Home != "" && strings.EqualFold(host, a.Home) }

func (Access) dialer(control func(network, address string, c syscall.RawConn) error) *net.Dialer {
	return &net.Dialer{Timeout: 3 * time.Second, Control: control}
}

// boundedBody is an answer that fails where it becomes too large.
type boundedBody struct {
	io.ReadCloser
	most, left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n + b.left, tooLargeError(b.most)
	}
	return n, err
}

// tooLargeError is about an answer, unpacked: it has more bytes than that.
type tooLargeError int

// Error says how many.
func (e tooLargeError) Error() string {
	if e >= 1<<20 {
		return fmt.Sprintf("the response is larger than %d MiB", int(e)>>20)
	}
	return fmt.Sprintf("the response is larger than %d KiB", int(e)>>10)
}

// errNotHTTPS is about an address. http.Client says which.
var errNotHTTPS = errors.New("that is not an https URL")

const maxRedirects = 3

// sameOriginRedirect follows a redirect within one scheme, host and port only.
func sameOriginRedirect(r *http.Request, via []*http.Request) error {
	if first := via[0].URL; r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
		return fmt.Errorf("following redirect: it leads from %s to another host", serverOf(first))
	}
	if len(via) > maxRedirects {
		return errors.New("following redirect: too many redirects")
	}
	return nil
}

// serverOf returns the scheme and host of a URL.
func serverOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// publicOnly is a net.Dialer's Control: it sees the address itself.
func publicOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading address: %w", err)
	}
	if !publicAddress(to.Addr()) {
		return errPrivateAddress
	}
	return nil
}

// privateOnly is the opposite.
func privateOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading address: %w", err)
	}
	if publicAddress(to.Addr()) {
		return errPublicAddress
	}
	return nil
}

// specialNetworks are not of the public Internet, beside what netip knows, or
// lead to an IPv4 address that is written inside. See RFC 6890 and the IANA
// special-purpose address registries.
var specialNetworks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carriers (RFC 6598)
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),          // IPv4-compatible (RFC 4291 §2.5.5.1)
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64 of a network's own (RFC 8215)
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), // Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("fec0::/10"), // site-local
}

// nat64 is the well-known prefix by which IPv6-only networks reach IPv4 (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// publicAddress reports whether an address is of the public Internet.
func publicAddress(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() { // so neither loopback, link-local, multicast nor unspecified
		return false
	}
	for _, network := range specialNetworks {
		if network.Contains(a) {
			return false
		}
	}
	return true
}
