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
	"slices"
)

// ParsePublicKeys reads public keys that an operator has written down: PEM
// blocks (RFC 7468 §13 and §5: of a certificate the key alone is read), a JWK or a
// JWK set (RFC 7517). Unlike those of ParseKeySet, all of them have to be usable. An
// RSA key that names no algorithm is pinned to rsa; a key of a PEM block has no ID.
func ParsePublicKeys(text string, rsa Algorithm) ([]*PublicKey, error) {
	set, err := ParseKeys([]byte(text), rsa)
	if err != nil {
		return nil, err
	}
	if dropped := set.Dropped(); len(dropped) > 0 {
		return nil, fmt.Errorf("reading public key: %w", errors.Join(dropped...))
	}
	return set.Keys(), nil
}

// ParseKeys reads a document of keys in any form that ParsePublicKeys knows, under
// the rules of ParseKeySet.
func ParseKeys(document []byte, rsa Algorithm) (Set, error) {
	document = bytes.TrimSpace(bytes.TrimPrefix(document, byteOrderMark))
	switch {
	case bytes.HasPrefix(document, []byte("{")):
		if !bytes.Contains(document, []byte(`"keys"`)) {
			document = slices.Concat([]byte(`{"keys":[`), document, []byte(`]}`))
		}
		return ParseKeySet(document, append([]Algorithm{rsa}, Algorithms()...)...)
	case bytes.HasPrefix(document, []byte("-----BEGIN ")):
		return parsePEM(document, rsa)
	}
	return Set{}, errors.New("reading public key: it is neither a PEM block nor a JWK")
}

func parsePEM(text []byte, rsa Algorithm) (Set, error) {
	var keys []*PublicKey
	for len(bytes.TrimSpace(text)) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return Set{}, errors.New("reading public key: a PEM block is damaged")
		}
		parsed, err := parseBlock(block)
		if err != nil {
			return Set{}, err
		}
		key, err := newPublicKey("", algorithmOf(parsed, rsa), parsed)
		if err != nil {
			return Set{}, err
		}
		keys = append(keys, key)
	}
	return newSet(keys, nil, maxKeys)
}

// parseBlock reads the public key of a PEM block.
func parseBlock(block *pem.Block) (key crypto.PublicKey, err error) {
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	default:
		return nil, fmt.Errorf("reading public key: the PEM block is a %s: `openssl pkey -in KEY -pubout` writes the public key", block.Type)
	}
	if err != nil {
		return nil, errors.New("reading public key: the PEM block holds no public key that can be read")
	}
	return key, nil
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
