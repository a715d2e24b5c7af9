package jose

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"math/big"
)

// Sizes of RSA keys that are used. Larger ones than the upper bound only burn
// time (CVE-2023-29409), smaller ones are weak (RFC 7518 §3.3).
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// checkRSA says why an RSA key is too weak or too costly to verify with.
func checkRSA(key *rsa.PublicKey) error {
	switch bits := key.N.BitLen(); {
	case bits < minRSABits:
		return errors.New("the modulus has fewer than 2048 bits")
	case bits > maxRSABits:
		return errors.New("the modulus has more than 8192 bits")
	case key.N.Bit(0) == 0:
		return errors.New("the modulus is even")
	case key.E < 3 || key.E%2 == 0:
		return errors.New("the exponent is even or 1")
	case roca(key.N):
		return errors.New("the modulus was made by a broken generator (CVE-2017-15361)")
	}
	return nil
}

// rocaPrimes are the odd primes up to 167. The broken generator made primes of
// the form k*M + (65537^a mod M) with M their product, so the modulus is a
// power of 65537 modulo each. A sound modulus is that by chance once in about 2^28.
var rocaPrimes = []int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73,
	79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// roca reports whether a modulus has the fingerprint of CVE-2017-15361.
// See Nemec et al., The Return of Coppersmith's Attack (ACM CCS 2017) §2.
func roca(n *big.Int) bool {
	r := new(big.Int)
	for _, p := range rocaPrimes {
		if !powerOf65537(r.Mod(n, big.NewInt(p)).Int64(), p) {
			return false
		}
	}
	return true
}

// powerOf65537 reports whether x is a power of 65537 modulo p.
func powerOf65537(x, p int64) bool {
	for y, i := int64(1), int64(0); i < p; i++ {
		if y == x {
			return true
		}
		y = y * 65537 % p
	}
	return false
}

// pssVerifier is a jws.Verifier for PS*. The library's own takes a salt of any
// length; RFC 7518 §3.5 wants that of the hash.
type pssVerifier struct{ hash crypto.Hash }

func (v pssVerifier) Verify(input, signature []byte, key any) error {
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return errSignature
	}
	h := v.hash.New()
	h.Write(input)
	return rsa.VerifyPSS(public, v.hash, h.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}
