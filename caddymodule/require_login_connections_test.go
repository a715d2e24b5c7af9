package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// otherSite is a second site of the same listener.
const otherSite = "other.localhost"

// secureSite is a site by https, whose certificate is good for otherSite, too.
type secureSite struct {
	*siteGateway
	tls *tls.Config
}

// startSecureSite starts it with the directives of the site, and those of otherSite.
func startSecureSite(t *testing.T, directives, other string) *secureSite {
	t.Helper()
	a := newAuthority(t)
	s := &secureSite{siteGateway: &siteGateway{newGateway(t)}}
	cert, key := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost", otherSite},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	s.API = strings.Replace(s.API, "http:", "https:", 1)
	line := fmt.Sprintf("tls %s %s\n", a.write(s.dir, "server.pem", "CERTIFICATE", cert.Raw), a.write(s.dir, "server.key", "PRIVATE KEY", der))
	t.Cleanup(func() { _ = caddy.Stop() })
	err = s.loadSite(line+directives, func(file string) string {
		file = strings.Replace(file, "allow_offline_access", "allow_offline_access\ntoken_claims groups", 1)
		return strings.ReplaceAll(file+"\n"+s.other()+" {\n"+line+other+"\n}\n", "UPSTREAM", strings.TrimPrefix(s.upstream.server.URL, "http://"))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// other is the origin of otherSite.
func (s *secureSite) other() string { return strings.Replace(s.API, "localhost", otherSite, 1) }

// address is where both listen.
func (s *secureSite) address() string {
	return strings.Replace(strings.TrimPrefix(s.API, "https://"), "localhost", "127.0.0.1", 1)
}

// trusting is a browser that knows the certificate.
func (s *secureSite) trusting() *browser {
	b := s.browser()
	transport := b.client.Transport.(*http.Transport)
	transport.TLSClientConfig = s.tls
	return b
}

// connection opens one connection, to a name by a protocol.
func (s *secureSite) connection(name, protocol string) *http.ClientConn {
	s.t.Helper()
	cfg := s.tls.Clone()
	cfg.ServerName = name
	transport := &http.Transport{TLSClientConfig: cfg, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(protocol == "HTTP/1.1")
	transport.Protocols.SetHTTP2(protocol == "HTTP/2.0")
	conn, err := transport.NewClientConn(s.t.Context(), "https", s.address())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestR14R15Connections: rows R14 and R15: who somebody is hangs on each request, and never on the
// connection or on the name in its handshake, which proxies and coalescing browsers share.
func TestR14R15Connections(t *testing.T) {
	const guard = "header X-User-Id sub\n}\nreverse_proxy UPSTREAM"
	s := startSecureSite(t, "require_login {\norigin ORIGIN\n"+guard, "require_login {\n"+guard)
	b := s.trusting()
	if resp, body := b.signIn(s.API + "/"); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	at, err := url.Parse(s.API)
	if err != nil {
		t.Fatal(err)
	}
	var alice string
	for _, c := range b.client.Jar.Cookies(at) {
		alice += c.Name + "=" + c.Value + "; "
	}
	s.upstream.take()
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		for _, name := range []string{"localhost", otherSite} {
			conn := s.connection(name, protocol)
			for i, step := range []struct {
				site, cookie string
				status       int
			}{
				{s.API, "", 401}, {s.API, alice, 200}, {s.API, "", 401}, {s.other(), alice, 401}, {s.other(), "", 401}, {s.API, alice, 200}, {s.API, "theme=dark", 401},
			} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, step.site+"/page", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				if step.cookie != "" {
					r.Header.Set("Cookie", step.cookie)
				}
				resp, err := conn.RoundTrip(r)
				if err != nil {
					t.Fatalf("%s to %s, request %d: %v", protocol, name, i, err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				seen := s.upstream.take()
				if resp.StatusCode != step.status || resp.Proto != protocol || len(seen) != step.status/200%2 {
					t.Errorf("%s to %s, request %d: %s %d, %d at the upstream", protocol, name, i, resp.Proto, resp.StatusCode, len(seen))
				}
				for _, r := range seen {
					if got := r.Header.Get("X-User-Id"); got != "local|alice" {
						t.Errorf("%s to %s, request %d: the upstream sees %q", protocol, name, i, got)
					}
				}
			}
		}
	}
}

// asked is what a gRPC service hears of who asks.
type asked struct {
	*health.Server
	users chan []string
}

func (a asked) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	a.users <- append(md.Get("x-user-id"), md.Get("authorization")...)
	return a.Server.Check(ctx, r)
}

// TestN14GRPC: row N14: a gRPC client comes in with an access token, and otherwise hears in its own
// words why not: the 401, 403 and 503 of the guard (gRPC over HTTP/2, HTTP to gRPC Status Code Mapping).
func TestN14GRPC(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service := asked{health.NewServer(), make(chan []string, 1)}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, service)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	upstream := "\nreverse_proxy h2c://" + listener.Addr().String()
	s := startSecureSite(t, "require_login {\norigin ORIGIN\nbearer https://api.example.com\nheader X-User-Id sub\n}"+upstream,
		"require_login {\nbearer https://api.example.com\nfor nobody\n}"+upstream)
	token := s.login().AccessToken
	call := func(site, authorization string) error {
		t.Helper()
		conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(site, "https://"), grpc.WithTransportCredentials(credentials.NewTLS(s.tls)),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", s.address()) }))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		ctx, done := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "x-user-id", "local|root", "x_user_id", "local|root"), time.Minute)
		defer done()
		if authorization != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
		}
		_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, new(grpc_health_v1.HealthCheckRequest))
		return err
	}
	for _, tt := range []struct {
		name, site, authorization string
		want                      codes.Code
	}{
		{"nobody", s.API, "", codes.Unauthenticated},
		{"a bad token", s.API, "Bearer " + token + "x", codes.Unauthenticated},
		{"not allowed", s.other(), "Bearer " + token, codes.PermissionDenied},
		{"alice", s.API, "Bearer " + token, codes.OK},
	} {
		err := call(tt.site, tt.authorization)
		if status.Code(err) != tt.want || err != nil && strings.Contains(err.Error(), "html") {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
		if len(service.users) > 0 != (tt.want == codes.OK) {
			t.Errorf("%s: %d calls at the service", tt.name, len(service.users))
		}
	}
	if got := strings.Join(<-service.users, " "); got != "local|alice" {
		t.Errorf("the service hears %q", got)
	}
}
