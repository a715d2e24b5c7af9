package adminapi

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
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
)

// The parts of a backup as it is sent, in this order.
const (
	backupDatabase = "database"
	backupSecret   = "secret" // where one was generated
	backupEnd      = "end"    // BackupSummary as JSON
)

// BackupSummary is the last part of a backup.
type BackupSummary struct {
	SHA256    string    `json:"sha256"`    // of the database
	Taken     time.Time `json:"taken"`     // the moment that the backup shows
	Store     string    `json:"store"`     // where the database is, and has to be again
	Generated bool      `json:"generated"` // the secret was generated, and is a part
}

// errBackupRedis is the answer where the store is not a file of this gateway.
var errBackupRedis = errors.New("this gateway keeps its state in Redis: back up Redis itself (BGSAVE, then copy its RDB file; or its AOF), " +
	"and keep the `secret` of the configuration beside it: docs/backup.md")

// backup sends a copy of an embedded store. It works on as long as the process
// does, also when the file was removed or its disk takes no writes.
func (a *API) backup(c *call) (any, error) {
	store, ok := a.State.Store.(*boltstore.Store)
	if !ok {
		return nil, badRequest("%w", errBackupRedis)
	}
	secret, err := a.Secret()
	if err != nil {
		return nil, refusal(http.StatusServiceUnavailable, err)
	}
	c.patient()
	backup, err := store.Backup(c.Context())
	switch {
	case errors.Is(err, boltstore.ErrBackupUnderWay):
		return nil, refusal(http.StatusConflict, err)
	case err != nil:
		return nil, refusal(http.StatusServiceUnavailable, err)
	}
	defer backup.Close()
	summary := BackupSummary{Taken: backup.Taken.UTC(), Store: a.Database, Generated: secret != nil}
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.w.Header().Set("Cache-Control", "no-store")
	c.sent = true
	if err := writeBackup(c.w, backup, backup.Size, secret, summary); err != nil {
		a.Log.Error("the backup was cut short", zap.Error(err))
		return nil, fmt.Errorf("sending the backup: %w", err)
	}
	return summary, nil
}

func writeBackup(w io.Writer, database io.Reader, size int64, secret []byte, summary BackupSummary) error {
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
		return err
	}
	if secret != nil {
		if err := part(backupSecret, int64(len(secret)), bytes.NewReader(secret)); err != nil {
			return err
		}
	}
	summary.SHA256 = hex.EncodeToString(sum.Sum(nil))
	end, err := json.Marshal(summary)
	if err == nil {
		err = part(backupEnd, int64(len(end)), bytes.NewReader(end))
	}
	if err != nil {
		return err
	}
	return archive.Close()
}

// ReceivedBackup is a backup that has come whole.
type ReceivedBackup struct {
	Size    int64  // of the database
	Secret  string // that was generated for it, "" where the configuration has one
	Summary BackupSummary
}

// ReadBackup reads a backup as it is sent, and writes the database. Whatever is
// missing or changed is an error.
func ReadBackup(from io.Reader, database io.Writer) (ReceivedBackup, error) {
	var got ReceivedBackup
	sum := sha256.New()
	parts := make(map[string]bool)
	for archive := tar.NewReader(from); !parts[backupEnd]; {
		part, err := archive.Next()
		if err == io.EOF { //nolint:errorlint // as archive/tar documents it
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return got, err
		}
		small := io.LimitReader(archive, 64<<10)
		switch parts[part.Name] = true; part.Name {
		case backupDatabase:
			got.Size, err = io.CopyN(io.MultiWriter(database, sum), archive, part.Size)
		case backupSecret:
			var b []byte
			b, err = io.ReadAll(small)
			got.Secret = string(b)
		case backupEnd:
			err = json.NewDecoder(small).Decode(&got.Summary)
		default:
			err = fmt.Errorf("unknown part %q: use the command of the server's version", part.Name)
		}
		if err != nil {
			return got, err
		}
	}
	switch {
	case !parts[backupDatabase] || got.Summary.SHA256 != hex.EncodeToString(sum.Sum(nil)):
		return got, errors.New("the database was damaged on the way: try again")
	case got.Summary.Generated != parts[backupSecret]:
		return got, errors.New("the secret is missing: try again")
	}
	return got, nil
}
