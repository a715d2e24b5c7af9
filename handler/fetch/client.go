package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// errPublicAddress says that a name that http is used with leads out of the network.
var errPublicAddress = errors.New("the address is public, and what comes from there over http may be anybody's: use https")

// errPrivateAddress says that a name led into a network that a public issuer is not in.
var errPrivateAddress = errors.New("the address is private, loopback or link-local: allow it with `allow_private`")

// outboundClient makes a client that fetches small documents from servers
// that others run. Unless allowPrivate, it connects to public addresses only;
// that is checked at the dial, when the name is resolved and cannot change any
// more. An HTTPS_PROXY of the environment is honoured: then the rule is about the
// proxy's address, and what the proxy dials is not seen here. No connection outlives its
// answer. Roots are who may vouch for the servers; nil is whom the system trusts.
func outboundClient(allowPrivate bool, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	if !allowPrivate {
		dialer.Control = publicOnly
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    3 * time.Second,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: sameOriginRedirect,
	}
}

// clearClient makes a client for http: to private addresses alone, past any proxy.
func clearClient() *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, Control: privateOnly}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: sameOriginRedirect,
	}
}

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
