package caddymodule

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
)

func backupCommand() *cobra.Command {
	backup := command("backup <file>", "Writes a copy of the embedded store of the running server, with its generated secret", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error { return writeBackupFiles(cmd, args[0]) })
	backup.Long = `
Writes a copy of the embedded database, as it is at one moment, while the server
goes on: <file>, and <file>.secret with the secret that was generated for it.
Neither may be there yet: name it after the day. Both appear only when they are
whole and were read from one end to the other.

To restore, stop Caddy, copy both over the database and its secret, and start
it. See docs/operations.md. To move to another store use 'export' and 'import'.`
	return backup
}

// backedUp is what the command says with --json.
type backedUp struct {
	Database string    `json:"database"`
	Secret   string    `json:"secret,omitempty"` // empty where the configuration has it
	Bytes    int64     `json:"bytes"`
	Families int       `json:"families"`
	Taken    time.Time `json:"taken"`
	Store    string    `json:"store"` // where the database belongs
}

// writeBackupFiles writes both files, or neither.
func writeBackupFiles(cmd *cobra.Command, path string) error {
	if path == "-" {
		return wrongUsef("a backup is two files, and is checked as such, so it is not written to the standard output: name a file, such as gatehouse-%s.db",
			time.Now().Format(time.DateOnly))
	}
	if info, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return wrongUsef("there is no folder %s: make it, or name a file elsewhere", filepath.Dir(path))
	}
	secretPath := path + secretSuffix
	for _, name := range []string{path, secretPath} {
		if _, err := os.Lstat(name); err == nil {
			return wrongUsef("%s is there already: name another file, such as gatehouse-%s.db", name, time.Now().Format(time.DateOnly))
		}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	partial, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*") // mode 0600
	if err != nil {
		return fmt.Errorf("making the backup: %w", err)
	}
	defer func() {
		_ = partial.Close()
		_ = os.Remove(partial.Name())
	}()
	resp, err := adminCallTo(cmd, http.MethodPost, "backup", nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	defer context.AfterFunc(ctx, background.Safely(nil, func() { _ = resp.Body.Close() }))() // Ctrl-C removes what is partial
	got, err := readBackup(resp.Body, partial)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	done, err := got.check(partial)
	if err != nil {
		return err
	}
	if got.secret != "" {
		// The database comes last: where it is, its secret is.
		if err := writeWhole(secretPath, got.secret); err != nil {
			return fmt.Errorf("writing %s: %w", secretPath, err)
		}
		done.Secret = secretPath
	}
	if err := publish(partial.Name(), path); err != nil {
		if done.Secret != "" {
			_ = os.Remove(secretPath)
		}
		return fmt.Errorf("writing %s: %w", path, err)
	}
	done.Database = path
	return done.print(cmd)
}

// receivedBackup is a backup that has come whole.
type receivedBackup struct {
	size    int64
	secret  string
	summary backupSummary
}

// readBackup writes the database to a file, durably. Whatever is missing is an error.
func readBackup(from io.Reader, database io.Writer) (receivedBackup, error) {
	var got receivedBackup
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
			got.size, err = io.CopyN(io.MultiWriter(database, sum), archive, part.Size)
		case backupSecret:
			var b []byte
			b, err = io.ReadAll(small)
			got.secret = string(b)
		case backupEnd:
			err = json.NewDecoder(small).Decode(&got.summary)
		default:
			err = fmt.Errorf("unknown part %q: use the command of the server's version", part.Name)
		}
		if err != nil {
			return got, err
		}
	}
	switch {
	case !parts[backupDatabase] || got.summary.SHA256 != hex.EncodeToString(sum.Sum(nil)):
		return got, errors.New("the database has not come as it was sent: try again")
	case got.summary.Generated != parts[backupSecret]:
		return got, errors.New("the secret is missing: try again")
	}
	return got, nil
}

// check reads all of the copy and demands that the secret opens it.
func (b receivedBackup) check(database *os.File) (backedUp, error) {
	if err := database.Sync(); err != nil {
		return backedUp{}, fmt.Errorf("writing the backup: %w", err)
	}
	contents, err := boltstore.Check(database.Name())
	if err != nil {
		return backedUp{}, fmt.Errorf("the backup is of no use, and was removed: %w", err)
	}
	if b.secret != "" {
		secrets, err := tokens.NewSecrets([]byte(strings.TrimSpace(b.secret)))
		if err != nil {
			return backedUp{}, fmt.Errorf("reading the generated secret: %w", err)
		}
		if !contents.OpenedBy(secrets.IDs()) {
			return backedUp{}, errors.New("the generated secret does not open the database; the backup was removed")
		}
	}
	return backedUp{Bytes: b.size, Families: contents.Families, Taken: b.summary.Taken, Store: b.summary.Store}, nil
}

// writeWhole writes a small file that nobody else can read, durably.
func writeWhole(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return publish(f.Name(), path)
}

// publish gives a whole file its name, which must be free.
func publish(partial, path string) error {
	err := os.Link(partial, path)
	if err != nil && !errors.Is(err, os.ErrExist) {
		err = os.Rename(partial, path) // a file system without hard links
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (d backedUp) print(cmd *cobra.Command) error {
	if d.Secret == "" {
		warn(cmd, "the configuration's `secret` is not in the backup, and nothing opens the backup without it: keep it, too")
	}
	if asJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), d)
	}
	files, targets := d.Database, d.Database+" to "+d.Store
	if d.Secret != "" {
		files += " and " + d.Secret
		targets += " and " + d.Secret + " to " + d.Store + secretSuffix
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "backed up and checked: %s, %s, %d bytes, as of %s\nto restore: stop Caddy, copy %s, start it: docs/operations.md\n",
		files, families(d.Families), d.Bytes, d.Taken.Format(time.RFC3339), targets)
	return err
}
