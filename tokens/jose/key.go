package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// rsaBits is the size of generated RSA keys. Signing costs eight times as much at 4096.
const rsaBits = 2048

// errSignature is what every failed verification returns.
var errSignature = errors.New("verifying signature: it does not match")

// PublicKey verifies signatures of one algorithm. Immutable, safe for concurrent use.
type PublicKey struct {
	id       string
	alg      Algorithm
	issuer   string // that its document names for it; "" for none
	key      crypto.PublicKey
	verifier jws.Verifier
	size     int // of a signature in bytes
}

// ID returns the key ID.
func (k *PublicKey) ID() string { return k.id }

// Issuer returns whose tokens the key signs, where its document says so beside
// the key, as Entra's does; "" for anybody's who publishes it.
func (k *PublicKey) Issuer() string { return k.issuer }

// Algorithm returns the one algorithm that the key may be used with. See RFC 8725 §3.1.
func (k *PublicKey) Algorithm() Algorithm { return k.alg }

// Verify checks the signature of a compact JWS, by the key's own algorithm:
// the header is not read. See RFC 7515 §5.2.
func (k *PublicKey) Verify(token string) error {
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 || strings.ContainsAny(token, "\r\n") { // which Go's decoder skips
		return errSignature
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(token[dot+1:])
	if err != nil {
		return errSignature
	}
	return k.VerifySignature([]byte(token[:dot]), signature)
}

// VerifySignature checks a decoded signature over a signing input.
// ECDSA signatures are r and s at full length (RFC 7518 §3.4), never DER.
func (k *PublicKey) VerifySignature(input, signature []byte) error {
	if len(signature) != k.size || k.verifier.Verify(input, signature, k.key) != nil {
		return errSignature
	}
	return nil
}

// newPublicKey pins a key to an algorithm that fits it.
func newPublicKey(id string, alg Algorithm, key crypto.PublicKey) (*PublicKey, error) {
	info, ok := algorithms[alg]
	if !ok {
		return nil, fmt.Errorf("reading key: %q is not a signature algorithm with a public key", alg)
	}
	size, err := checkPublic(info, key)
	if err != nil {
		return nil, fmt.Errorf("reading key for %s: %w", alg, err)
	}
	verifier, err := jws.NewVerifier(info.jwa)
	if err != nil {
		return nil, fmt.Errorf("making verifier: %w", err)
	}
	if info.pss != 0 {
		verifier = pssVerifier{info.pss}
	}
	return &PublicKey{id: id, alg: alg, key: key, verifier: verifier, size: size}, nil
}

// checkPublic says why a key must not be used with an algorithm, or how long its signatures are.
func checkPublic(info algorithmInfo, key crypto.PublicKey) (signatureSize int, err error) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if info.family != familyEC || key.Curve != info.curve {
			return 0, errors.New("the curve does not match the algorithm")
		}
		if _, err := key.Bytes(); err != nil { // refuses a point that is not on the curve
			return 0, errors.New("the point is not on the curve")
		}
		return 2 * ((info.curve.Params().BitSize + 7) / 8), nil
	case ed25519.PublicKey:
		if info.family != familyOKP || len(key) != ed25519.PublicKeySize {
			return 0, errors.New("an Ed25519 key is for EdDSA only")
		}
		return ed25519.SignatureSize, nil
	case *rsa.PublicKey:
		if info.family != familyRSA {
			return 0, errors.New("an RSA key is for RS* and PS* only")
		}
		return key.Size(), checkRSA(key)
	}
	return 0, errors.New("the key is of an unknown type")
}

// PrivateKey signs with one algorithm. Immutable, safe for concurrent use.
type PrivateKey struct {
	public *PublicKey
	key    crypto.Signer
	signer jws.Signer
}

// GenerateKey makes a key. Its ID is the RFC 7638 thumbprint, so that it is
// unique; it never begins with a dash, so that no command takes it for a flag.
func GenerateKey(alg Algorithm) (*PrivateKey, error) {
	info, ok := algorithms[alg]
	if !ok {
		return nil, fmt.Errorf("generating key: %q is not a signature algorithm with a public key", alg)
	}
	for {
		key, err := info.generate()
		if err != nil {
			return nil, fmt.Errorf("generating key: %w", err)
		}
		private, err := newPrivateKey(alg, key)
		if err != nil || !strings.HasPrefix(private.ID(), "-") {
			return private, err
		}
	}
}

// generate draws a key of the algorithm's family.
func (info algorithmInfo) generate() (crypto.Signer, error) {
	switch info.family {
	case familyEC:
		return ecdsa.GenerateKey(info.curve, rand.Reader)
	case familyOKP:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
}

// ParsePrivateKey reads an unencrypted PKCS #8 key (RFC 5208) for an algorithm.
func ParsePrivateKey(alg Algorithm, pkcs8 []byte) (*PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("reading private key: %w", err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("reading private key: it cannot sign")
	}
	return newPrivateKey(alg, key)
}

func newPrivateKey(alg Algorithm, key crypto.Signer) (*PrivateKey, error) {
	id, err := thumbprint(key.Public())
	if err != nil {
		return nil, err
	}
	public, err := newPublicKey(id, alg, key.Public())
	if err != nil {
		return nil, err
	}
	signer, err := jws.NewSigner(algorithms[alg].jwa)
	if err != nil {
		return nil, fmt.Errorf("making signer: %w", err)
	}
	return &PrivateKey{public: public, key: key, signer: signer}, nil
}

// ID returns the key ID.
func (k *PrivateKey) ID() string { return k.public.id }

// Algorithm returns the one algorithm that the key signs with.
func (k *PrivateKey) Algorithm() Algorithm { return k.public.alg }

// Public returns the key that verifies; always the same pointer.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// WithID returns the key under another ID, as where somebody else has given it one. The
// ID must need no escaping in JSON.
func (k *PrivateKey) WithID(id string) *PrivateKey {
	public, named := *k.public, *k
	public.id, named.public = id, &public
	return &named
}

// MarshalPKCS8 encodes the private key, unencrypted.
func (k *PrivateKey) MarshalPKCS8() ([]byte, error) {
	b, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("encoding private key: %w", err)
	}
	return b, nil
}

// Sign makes a compact JWS (RFC 7515 §7.1) whose header is exactly alg, kid
// and typ. The typ must be a media type without its "application/" (RFC 7515 §4.1.9).
func Sign(k *PrivateKey, typ string, payload []byte) (string, error) {
	for i := range len(typ) {
		if c := typ[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return "", errors.New("signing token: the type holds a character that needs escaping")
		}
	}
	header := `{"alg":"` + string(k.public.alg) + `","kid":"` + k.public.id + `","typ":"` + typ + `"}`
	enc := base64.RawURLEncoding
	n := enc.EncodedLen(len(header)) + 1 + enc.EncodedLen(len(payload))
	token := make([]byte, 0, n+1+enc.EncodedLen(k.public.size))
	token = enc.AppendEncode(token, []byte(header))
	token = append(token, '.')
	token = enc.AppendEncode(token, payload)
	signature, err := k.signer.Sign(token, k.key)
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	token = append(token, '.')
	token = enc.AppendEncode(token, signature)
	return string(token), nil
}

// thumbprint returns the RFC 7638 thumbprint of a public key.
func thumbprint(key crypto.PublicKey) (string, error) {
	j, err := jwk.FromRaw(key)
	if err != nil {
		return "", fmt.Errorf("reading key: %w", err)
	}
	sum, err := j.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("making thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
