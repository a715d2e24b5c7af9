package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule"
	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

func backupCommand() *cobra.Command {
	backup := command("backup <file>", "Writes a copy of the embedded store of the running server, with its generated secret", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error { return writeBackupFiles(cmd, args[0]) })
	backup.Long = `
Writes a copy of the embedded database, as it is at one moment, while the server
goes on: <file>, and <file>.secret with the secret that was generated for it.
Neither may exist yet: name it after the day. Both appear only when they are
whole and were read from one end to the other.

To restore, stop Caddy, copy both over the database and its secret, and start
it. See docs/backup.md. To move to another store use 'export' and 'import'.`
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
		return wrongUsef("the folder %s does not exist: create it, or name a file elsewhere", filepath.Dir(path))
	}
	secretPath := path + caddymodule.SecretSuffix
	for _, name := range []string{path, secretPath} {
		if _, err := os.Lstat(name); err == nil {
			return wrongUsef("%s already exists: name another file, such as gatehouse-%s.db", name, time.Now().Format(time.DateOnly))
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
	resp, err := ask(cmd, adminapi.Backup, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	defer context.AfterFunc(ctx, background.Safely(nil, func() { _ = resp.Body.Close() }))() // Ctrl-C removes what is partial
	got, err := adminapi.ReadBackup(resp.Body, partial)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	done, err := checkBackup(got, partial)
	if err != nil {
		return err
	}
	if got.Secret != "" {
		// The database comes last: where it is, its secret is.
		if err := writeWhole(secretPath, got.Secret); err != nil {
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

// checkBackup reads all of the copy and demands that the secret opens it.
func checkBackup(b adminapi.ReceivedBackup, database *os.File) (backedUp, error) {
	if err := database.Sync(); err != nil {
		return backedUp{}, fmt.Errorf("writing the backup: %w", err)
	}
	contents, err := boltstore.Check(database.Name())
	if err != nil {
		return backedUp{}, fmt.Errorf("the backup is unusable, and was removed: %w", err)
	}
	if b.Secret != "" {
		secrets, err := secrets.NewSecrets([]byte(strings.TrimSpace(b.Secret)))
		if err != nil {
			return backedUp{}, fmt.Errorf("reading the generated secret: %w", err)
		}
		if !contents.OpenedBy(secrets.IDs()) {
			return backedUp{}, errors.New("the generated secret does not open the database; the backup was removed")
		}
	}
	return backedUp{Bytes: b.Size, Families: contents.Families, Taken: b.Summary.Taken, Store: b.Summary.Store}, nil
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
	return caddymodule.SyncDir(filepath.Dir(path))
}

func (d backedUp) print(cmd *cobra.Command) error {
	p := printerOf(cmd)
	if d.Secret == "" {
		p.Note("the configuration's `secret` is not in the backup, and nothing opens the backup without it: keep it, too")
	}
	if asJSON(cmd) {
		return printJSON(cmd, d)
	}
	files, targets := d.Database, d.Database+" to "+d.Store
	if d.Secret != "" {
		files += " and " + d.Secret
		targets += " and " + d.Secret + " to " + d.Store + caddymodule.SecretSuffix
	}
	p.Printf("backed up and checked: %s, %s, %d bytes, as of %s\nto restore: stop Caddy, copy %s, start it: docs/backup.md\n",
		files, adminapi.Families(d.Families), d.Bytes, d.Taken.Format(time.RFC3339), targets)
	return p.Err
}
