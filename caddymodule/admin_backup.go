package caddymodule

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
)

// The parts of a backup as it is sent, in this order.
const (
	backupDatabase = "database"
	backupSecret   = "secret" // where one was generated
	backupEnd      = "end"    // backupSummary as JSON
)

// backupSummary is the last part of a backup.
type backupSummary struct {
	SHA256    string    `json:"sha256"`    // of the database
	Taken     time.Time `json:"taken"`     // the moment that the backup shows
	Store     string    `json:"store"`     // where the database is, and has to be again
	Generated bool      `json:"generated"` // the secret was generated, and is a part
}

// errBackupRedis is the answer where the store is not a file of this gateway.
var errBackupRedis = errors.New("this gateway keeps its state in Redis: back up Redis itself (BGSAVE, then copy its RDB file; or its AOF), " +
	"and keep the `secret` of the configuration beside it: docs/operations.md, \"Restore a backup of Redis\"")

// backup sends a copy of an embedded store. It works on as long as the process
// does, also when the file was removed or its disk takes no writes.
func (a *adminAPI) backup(c *adminCall) (any, error) {
	runtime := a.app.runtime
	store, ok := runtime.shared.state.Store.(*boltstore.Store)
	if !ok {
		return nil, badRequest("%w", errBackupRedis)
	}
	secret, err := runtime.secretToBackUp()
	if err != nil {
		return nil, adminError(http.StatusServiceUnavailable, err)
	}
	c.patient()
	backup, err := store.Backup(c.Context())
	switch {
	case errors.Is(err, boltstore.ErrBackupUnderWay):
		return nil, adminError(http.StatusConflict, err)
	case err != nil:
		return nil, adminError(http.StatusServiceUnavailable, err)
	}
	defer backup.Close()
	summary := backupSummary{Taken: backup.Taken.UTC(), Store: strings.TrimPrefix(runtime.poolKey, boltPool), Generated: secret != nil}
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.w.Header().Set("Cache-Control", "no-store")
	c.sent = true
	if err := writeBackup(c.w, backup, backup.Size, secret, summary); err != nil {
		a.log.Error("the backup has broken off", zap.Error(err))
		return nil, err
	}
	return summary, nil
}

// secretToBackUp returns the generated secret, nil where the configuration has
// one. It is the one in use: its file may be gone with the database's.
func (r *runtime) secretToBackUp() ([]byte, error) {
	if len(r.secrets) > 0 {
		return nil, nil
	}
	inUse := r.shared.generated.Load()
	if inUse == nil {
		return nil, errors.New("the store has not been opened yet: see the health in `caddy oauth stats`")
	}
	return []byte(*inUse + "\n"), nil
}

func writeBackup(w io.Writer, database io.Reader, size int64, secret []byte, summary backupSummary) error {
	archive := tar.NewWriter(w)
	part := func(name string, size int64, from io.Reader) error {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, ModTime: summary.Taken}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if n, err := io.Copy(archive, from); err != nil || n != size {
			return errors.Join(err, fmt.Errorf("%s: %d of %d bytes", name, n, size))
		}
		return nil
	}
	sum := sha256.New()
	if err := part(backupDatabase, size, io.TeeReader(database, sum)); err != nil {
		return fmt.Errorf("sending the backup: %w", err)
	}
	if secret != nil {
		if err := part(backupSecret, int64(len(secret)), bytes.NewReader(secret)); err != nil {
			return fmt.Errorf("sending the backup: %w", err)
		}
	}
	summary.SHA256 = hex.EncodeToString(sum.Sum(nil))
	end, err := json.Marshal(summary)
	if err == nil {
		err = part(backupEnd, int64(len(end)), bytes.NewReader(end))
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return fmt.Errorf("sending the backup: %w", err)
	}
	return nil
}
