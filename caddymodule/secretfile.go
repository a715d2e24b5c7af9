package caddymodule

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// generatedSecretBytes is the strength of a generated gateway secret.
const generatedSecretBytes = 64

// NewGatewaySecret makes a secret for the `secret` option.
func NewGatewaySecret() string {
	b := make([]byte, generatedSecretBytes)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return base64.StdEncoding.EncodeToString(b)
}

// generatedSecret returns the secret kept in a file beside the embedded store,
// and makes it the first time; old reports that it was there. Of several that
// make it at once, one wins and all return its secret. A new one would be of no use
// to a database that is there. No error holds any part of it.
func generatedSecret(path string) (secret string, old bool, err error) {
	database := strings.TrimSuffix(path, SecretSuffix)
	data, noData := os.Stat(database) // before the secret, which is written first
	secret, err = readSecret(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return secret, err == nil, err
	case noData == nil && data.Mode().IsRegular() && data.Size() > 0:
		return "", false, fmt.Errorf("%s is missing: restore it from the same backup as %s, or configure the `secret` that the database was written under, "+
			"or move the database away to start over", path, database)
	}
	if err := writeSecret(path, NewGatewaySecret()); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", false, fmt.Errorf("writing generated secret: %w", err)
	}
	secret, err = readSecret(path)
	return secret, false, err
}

// readSecret reads the file and checks that nobody else can.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading generated secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("reading generated secret: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("reading generated secret: %s can be read by other users (mode %04o): chmod 600 it",
			path, info.Mode().Perm())
	}
	b := make([]byte, 4*generatedSecretBytes)
	n, err := f.Read(b)
	if err != nil {
		return "", fmt.Errorf("reading generated secret %s: %w", path, err)
	}
	secret := strings.TrimSpace(string(b[:n]))
	if raw, err := base64.StdEncoding.DecodeString(secret); err != nil || len(raw) < generatedSecretBytes {
		return "", fmt.Errorf("reading generated secret: %s is damaged: restore it from a backup; "+
			"without it nobody stays signed in (then remove it and the database)", path)
	}
	return secret, nil
}

// writeSecret writes the file whole and durably, or not at all. It never
// replaces one: the error is then fs.ErrExist.
func writeSecret(path, secret string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600, O_EXCL
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(secret + "\n")
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
