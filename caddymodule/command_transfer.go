package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

func exportCommand() *cobra.Command {
	export := command("export {--to <file> | --undo}", "Stops the store and writes all that it keeps into a file, to move it to another store", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			to, offline := textFlag(cmd, "to"), textFlag(cmd, "config") != ""
			undo, _ := cmd.Flags().GetBool("undo")
			switch {
			case undo == (to != ""):
				return wrongUsef("name the file to write with --to (- is the standard output), or take an export back with --undo")
			case undo && offline:
				return undoExport(cmd)
			case undo:
				return call(cmd, http.MethodDelete, "export", nil, printResumed)
			}
			return writeExport(cmd, to, func(ctx context.Context, w io.Writer) error {
				if offline {
					return exportConfigured(ctx, cmd, w)
				}
				return exportRunning(cmd, w)
			})
		})
	export.Flags().String("to", "", "The file to write; it must not be there yet. - is the standard output")
	export.Flags().Bool("undo", false, "Let the store go on: the move is called off")
	export.Long = `
Stops the store and writes all that it keeps into a file. The store stays
stopped: gateways on it answer 503 to logins and refreshes, and go on guarding
routes. Import the file into the new store, then give the gateways that one.

Without --config the running server writes the export. With it, this command
opens the store of that configuration itself: an embedded one while no server
has it open, Redis at any time. See docs/moving.md.`
	return export
}

// printResumed tells what became of an export that is taken back.
func printResumed(w io.Writer, r resumed) error {
	text := "the store had not been stopped\n"
	if r.Stopped {
		text = "the store goes on; throw the export away\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// writeExport writes a file that nobody else can read, whole or not at all.
func writeExport(cmd *cobra.Command, to string, export func(context.Context, io.Writer) error) (err error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	out, name := cmd.OutOrStdout(), "-"
	if to != "-" {
		f, failed := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(failed, fs.ErrExist) {
			return wrongUsef("%s is there already: name another file", to)
		}
		if failed != nil {
			return fmt.Errorf("making the export: %w", failed)
		}
		defer func() { err = finishFile(f, err) }()
		out, name = f, to
	}
	// What is written is read at once, so that the export is known to be whole.
	pipe, copied := io.Pipe()
	checked := make(chan error, 1)
	var counts tokens.TransferCounts
	broken := func(err error) {
		pipe.CloseWithError(err)
		checked <- err
	}
	go background.Safely(broken, func() {
		var err error
		counts, err = tokens.CheckExport(pipe)
		_, _ = io.Copy(io.Discard, pipe)
		checked <- err
	})()
	err = export(ctx, io.MultiWriter(out, copied))
	_ = copied.Close()
	if wrong := <-checked; err == nil {
		err = wrong
	}
	if err != nil {
		return err
	}
	warn(cmd, "the store is stopped from now on: import this export, or take it back with `caddy oauth export --undo`")
	if name == "-" {
		return nil
	}
	if asJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), counts)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "exported: %s\n", countsText(counts))
	return err
}

func finishFile(f *os.File, err error) error {
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		return syncDir(filepath.Dir(f.Name()))
	}
	_ = os.Remove(f.Name())
	return err
}

func countsText(c tokens.TransferCounts) string {
	return fmt.Sprintf("%s with %s and %s; %d records in all", users(c.Users), sessions(c.Sessions), families(c.Families), c.Records)
}

// exportRunning lets the running server write.
func exportRunning(cmd *cobra.Command, w io.Writer) error {
	resp, err := adminCallTo(cmd, http.MethodPost, "export", nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("reading the export: %w", err)
	}
	return nil
}

// exportConfigured opens the store of a configuration and writes.
func exportConfigured(ctx context.Context, cmd *cobra.Command, w io.Writer) error {
	return withStore(cmd, func(s *transferStore) error {
		if err := s.open(ctx); err != nil {
			return err
		}
		meter := newMeter(cmd)
		defer meter.clear()
		_, err := tokens.WriteExport(ctx, s.store, w, func(c tokens.TransferCounts) { meter.show(countsText(c)) })
		return err
	})
}

func undoExport(cmd *cobra.Command) error {
	return withStore(cmd, func(s *transferStore) error {
		if err := s.open(cmd.Context()); err != nil {
			return err
		}
		was, err := s.store.Resume(cmd.Context())
		if err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd.OutOrStdout(), resumed{was})
		}
		return printResumed(cmd.OutOrStdout(), resumed{was})
	})
}

func importCommand() *cobra.Command {
	imports := command("import --config <file> --from <file>", "Fills the empty store of a configuration from an export", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			from := textFlag(cmd, "from")
			if from == "" || textFlag(cmd, "config") == "" {
				return wrongUsef("name the configuration whose store is to be filled with --config, and the export with --from (- is the standard input)")
			}
			return withStore(cmd, func(s *transferStore) error { return importFile(cmd, s, from) })
		})
	imports.Flags().String("from", "", "The export to read. - is the standard input")
	imports.Long = `
Fills the store that a configuration names, which must be empty, from an export.
The configuration needs the secret of the gateways that the export comes from.
An import that breaks off may be run again with the same export; until it has
finished, no gateway can open the store. See docs/moving.md.`
	return imports
}

func importFile(cmd *cobra.Command, s *transferStore, from string) error {
	in := cmd.InOrStdin()
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return fmt.Errorf("reading the export: %w", err)
		}
		defer func() { _ = f.Close() }()
		if _, err := tokens.CheckExport(f); err != nil { // before anything is written
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("reading the export: %w", err)
		}
		in = f
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	meter := newMeter(cmd)
	defer meter.clear()
	source, counts, err := tokens.ReadExport(ctx, s.store, s.secrets, s.issuers, in, func(c tokens.TransferCounts) { meter.show(countsText(c)) })
	if err != nil {
		return err
	}
	meter.clear()
	if err := s.open(ctx); err != nil {
		return fmt.Errorf("opening what was imported: %w", err)
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	if behind := source.Now.Sub(now); behind > clockTolerance {
		warn(cmd, "the clock of this store is %s behind the one that the export comes from: set the clock right before a gateway starts", behind.Round(time.Second))
	}
	if asJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), counts)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported: %s\n", countsText(counts))
	return err
}

// clockTolerance is how far two stores' clocks may differ without a word.
const clockTolerance = 5 * time.Second

// transferStore is the store of a configuration that no server of this process runs.
type transferStore struct {
	store   tokens.Store
	secrets *tokens.Secrets
	issuers []string
}

// open opens a store that is there, stopped or not.
func (s *transferStore) open(ctx context.Context) error {
	_, err := s.store.Open(ctx, tokens.OpenRequest{Secrets: s.secrets.IDs(), Issuers: s.issuers, Transfer: true})
	return err
}

// withStore makes the store that the configuration of --config names.
func withStore(cmd *cobra.Command, run func(*transferStore) error) (err error) {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	app, err := loadApp(flags.String("config"), flags.String("adapter"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Cleanup()) }()
	s := &transferStore{issuers: app.issuers()}
	if s.secrets, err = app.existingSecrets(); err != nil {
		return err
	}
	s.store = app.store.NewStore(func(string, time.Duration, error) {})
	defer func() { err = errors.Join(err, s.store.Close()) }()
	return run(s)
}
