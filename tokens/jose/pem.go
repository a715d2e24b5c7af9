package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// ParsePublicKeys reads public keys that an operator has written down: PEM
// blocks ("PUBLIC KEY", RFC 7468 §13), a JWK or a JWK set (RFC 7517). Unlike
// those of ParseKeySet, all of them have to be usable. An RSA key that names no
// algorithm is pinned to rsa; a key of a PEM block has no ID.
func ParsePublicKeys(text string, rsa Algorithm) ([]*PublicKey, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "{"):
		return parseWrittenJWK(text, rsa)
	case strings.HasPrefix(text, "-----BEGIN "):
		return parsePEM([]byte(text), rsa)
	}
	return nil, errors.New("reading public key: it is neither a PEM block nor a JWK")
}

func parseWrittenJWK(text string, rsa Algorithm) ([]*PublicKey, error) {
	document := text
	if !strings.Contains(text, `"keys"`) {
		document = `{"keys":[` + text + `]}`
	}
	set, err := ParseKeySet([]byte(document), append([]Algorithm{rsa}, Algorithms()...)...)
	if err != nil {
		return nil, err
	}
	if dropped := set.Dropped(); len(dropped) > 0 {
		return nil, fmt.Errorf("reading public key: %w", errors.Join(dropped...))
	}
	return set.Keys(), nil
}

func parsePEM(text []byte, rsa Algorithm) ([]*PublicKey, error) {
	var keys []*PublicKey
	for len(bytes.TrimSpace(text)) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("reading public key: a PEM block is damaged")
		}
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("reading public key: the PEM block is a %s: `openssl pkey -in KEY -pubout` writes the public key", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("reading public key: the PEM block holds no public key that can be read")
		}
		key, err := newPublicKey("", algorithmOf(parsed, rsa), parsed)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// algorithmOf is the algorithm of a key that names none; "" where none fits.
func algorithmOf(key crypto.PublicKey, forRSA Algorithm) Algorithm {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return forRSA
	case ed25519.PublicKey:
		return EdDSA
	case *ecdsa.PublicKey:
		for alg, info := range algorithms {
			if info.family == familyEC && info.curve == key.Curve {
				return alg
			}
		}
	}
	return ""
}
