package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/template"
	"time"
)

// HAProxy checks what its documentation shows for access tokens: algorithm,
// issuer, audience, expiry and signature. It has no denylist and no scopes.
var haproxyConfig = template.Must(template.New("haproxy.cfg").Parse(`global
	nbthread 2
	maxconn 1000
defaults
	mode http
	timeout client 10s
	timeout connect 10s
	timeout server 10s
frontend route
	bind 127.0.0.1:{{.Port}}
	http-request return status 200 content-type text/plain string hello if { path /plain }
	http-request set-var(txn.bearer) http_auth_bearer
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_header_query('$.alg') -m str {{.Algorithm}} }
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.iss') -m str {{.Issuer}} }
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.aud') -m str {{.Audience}} }
	http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
	http-request set-var(txn.now) date()
	http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
	http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify("{{.Algorithm}}","{{.Key}}") 1 }
	http-request return status 200 content-type text/plain string hello
`))

// benchPeer measures a guarded route of Gatehouse beside HAProxy's jwt_verify:
// the same tokens, the same keys, the same machine.
func benchPeer(ctx context.Context, o options) error {
	if path, _ := exec.LookPath("haproxy"); path == "" {
		fmt.Println("### Beside HAProxy: SKIPPED, there is no haproxy (apt-get install haproxy)")
		return nil
	}
	for _, alg := range []string{"ES256", "RS256"} {
		if err := besideHAProxy(ctx, o, alg); err != nil {
			return err
		}
	}
	return nil
}

func besideHAProxy(ctx context.Context, o options, alg string) error {
	s, err := newSetup(o, "peer-"+alg, alg)
	if err != nil {
		return err
	}
	files, err := writeTokens(ctx, o, s, 1)
	if err != nil {
		return err
	}
	loads := []load{{name: "one token", tokens: files[0]}, {name: "10,000 tokens", tokens: files[1], warm: true}}
	ours, theirs := make(map[string][]pair), make(map[string][]pair)
	for range o.rounds {
		if err := measureBoth(ctx, o, s, loads, ours, theirs); err != nil {
			return err
		}
	}
	fmt.Printf("### Beside HAProxy jwt_verify, %s\n\n", alg)
	fmt.Println("| load | HAProxy, requests/s | of its plain route | Gatehouse, requests/s | of its plain route | Gatehouse / HAProxy |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, l := range loads {
		us, them := ours[l.name], theirs[l.name]
		var rate, share, peerRate, peerShare, times []float64
		for i := range us {
			rate, share = append(rate, us[i].guarded.rate), append(share, us[i].guarded.rate/us[i].plain.rate)
			peerRate, peerShare = append(peerRate, them[i].guarded.rate), append(peerShare, them[i].guarded.rate/them[i].plain.rate)
			times = append(times, us[i].guarded.rate/them[i].guarded.rate)
		}
		fmt.Printf("| %s | %.0f | %.2f | %.0f | %.2f | %.2f |\n", l.name, median(peerRate), median(peerShare), median(rate), median(share), median(times))
	}
	fmt.Println()
	return nil
}

// measureBoth is one round: one server after the other, so that they do not
// take the processors from each other.
func measureBoth(ctx context.Context, o options, s setup, loads []load, ours, theirs map[string][]pair) error {
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	key, err := publicKey(srv.auth+".well-known/jwks.json", s.Algorithm)
	for _, l := range loads {
		if err != nil {
			break
		}
		var p pair
		p, err = srv.measurePair(ctx, o, l)
		ours[l.name] = append(ours[l.name], p)
	}
	if err := errors.Join(err, srv.stop()); err != nil {
		return err
	}
	peer, err := startHAProxy(ctx, o, s, key)
	if err != nil {
		return err
	}
	for _, l := range loads {
		var p pair
		if p, err = peer.measurePair(ctx, o, l); err != nil {
			break
		}
		theirs[l.name] = append(theirs[l.name], p)
	}
	return errors.Join(err, peer.stop())
}

func startHAProxy(ctx context.Context, o options, s setup, key []byte) (*server, error) {
	keyFile := filepath.Join(o.dir, s.Algorithm+".pem")
	file := filepath.Join(o.dir, s.Algorithm+".haproxy.cfg")
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	err = haproxyConfig.Execute(f, map[string]any{
		"Port": s.RoutePort, "Algorithm": s.Algorithm, "Issuer": s.Issuer, "Audience": s.Audience, "Key": keyFile,
	})
	if err := errors.Join(err, f.Close(), os.WriteFile(keyFile, key, 0o600)); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "haproxy", "-db", "-f", file)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	srv := &server{cmd: cmd, base: fmt.Sprintf("http://127.0.0.1:%d", s.RoutePort)}
	for range 100 {
		res, err := http.Get(srv.base + "/plain")
		if err == nil {
			return srv, res.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("starting HAProxy: it does not answer"), srv.stop())
}

// publicKey returns the PEM of the published key for an algorithm.
func publicKey(url, alg string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var set struct {
		Keys []struct{ Alg, X, Y, N, E string }
	}
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		return nil, err
	}
	for _, k := range set.Keys {
		if k.Alg != alg {
			continue
		}
		var key any = &rsa.PublicKey{N: new(big.Int).SetBytes(decode(k.N)), E: int(new(big.Int).SetBytes(decode(k.E)).Int64())}
		if k.X != "" {
			point := slices.Concat([]byte{4}, decode(k.X), decode(k.Y))
			if key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err != nil {
				return nil, err
			}
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
	}
	return nil, fmt.Errorf("reading keys: none is for %s", alg)
}

func decode(text string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(text)
	return b
}
