package caddymodule

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// argon2Params are the parameters of an argon2id hash. The library that
// compares does not bound them: none may be zero, and the memory is taken for each login.
var argon2Params = regexp.MustCompile(`^\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,3}),p=([1-9]\d{0,2})\$`)

// maxArgon2Memory is the most memory, in KiB, that one comparison may take.
const maxArgon2Memory = 1 << 20

const makeHash = "make one with `caddy hash-password`"

// errNotHash never shows the value: it may be somebody's password.
var errNotHash = errors.New("is not a bcrypt or argon2id hash: " + makeHash)

// checkPasswordHash reports whether a value is a hash that passwords can be
// compared with.
func checkPasswordHash(hash string) error {
	switch {
	case strings.HasPrefix(hash, "$2"):
		if cost, err := bcrypt.Cost([]byte(hash)); err != nil || len(hash) != 60 || cost > bcrypt.MaxCost {
			return errors.New("is a damaged bcrypt hash: copy all of its 60 characters, or " + makeHash)
		}
		return nil
	case strings.HasPrefix(hash, "$argon2id$"):
		return checkArgon2(hash)
	}
	return errNotHash
}

func checkArgon2(hash string) error {
	params := argon2Params.FindStringSubmatch(hash)
	if _, key, err := caddyauth.DecodeHash([]byte(hash)); err != nil || params == nil || len(key) < 16 {
		return errors.New("is a damaged argon2id hash: copy all of it, or " + makeHash)
	}
	if memory, _ := strconv.ParseUint(params[1], 10, 64); memory > maxArgon2Memory {
		return errors.New("is an argon2id hash that takes more than 1 GiB of memory at each login: " + makeHash)
	}
	return nil
}

// checkSecretHash reports whether a value is a hash that client secrets can be
// compared with.
func checkSecretHash(hash string) error {
	if strings.HasPrefix(hash, "$") {
		return checkPasswordHash(hash)
	}
	if err := clients.CheckSecretHash(hash); err != nil {
		return errors.New("is " + err.Error())
	}
	return nil
}

// checkHashText checks a hash as far as the text goes: a placeholder is
// checked again when it is resolved.
func checkHashText(hash string, check func(string) error) error {
	if hash == "" {
		return errors.New("is empty: " + makeHash)
	}
	if grammar.IsPlaceholder(hash) {
		return nil
	}
	return check(hash)
}

// resolveHash reads a hash from where it is kept and checks it.
func resolveHash(hash string, check func(string) error) (string, error) {
	resolved, err := grammar.Resolve(hash)
	if err != nil {
		return "", err
	}
	if err := check(resolved); err != nil {
		if grammar.IsPlaceholder(hash) {
			return "", errors.New(hash + " " + err.Error())
		}
		return "", err
	}
	return resolved, nil
}
