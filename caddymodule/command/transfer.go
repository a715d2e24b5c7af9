package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule"
	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/transfer"
)

func exportCommand() *cobra.Command {
	var to string
	var undo bool
	export := command("export {--to <file> | --undo}", "Stops the store and exports all of its data to a file, to move it to another store", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			offline := cmd.Flags().Changed("config")
			switch {
			case undo == (to != ""):
				return wrongUsef("name the file to write with --to (- is the standard output), or take an export back with --undo")
			case undo && offline:
				return undoExport(cmd)
			case undo:
				return perform(cmd, adminapi.UndoExport, nil)
			}
			return writeExport(cmd, to, func(ctx context.Context, w io.Writer) error {
				if offline {
					return exportConfigured(ctx, cmd, w)
				}
				return exportRunning(cmd, w)
			})
		})
	export.Flags().StringVar(&to, "to", "", "File to write, which must not exist yet; - is the standard output")
	export.Flags().BoolVar(&undo, "undo", false, "Call off the move and resume the store")
	export.Long = `
Stops the store and writes all that it keeps into a file. The store stays
stopped: gateways on it answer 503 to logins and refreshes, and go on guarding
routes. Import the file into the new store, then give the gateways that one.

Without --config the running server writes the export. With it, this command
opens the store of that configuration itself: an embedded one while no server
has it open, Redis at any time. See docs/moving.md.`
	return export
}

// writeExport writes a file that nobody else can read, whole or not at all.
func writeExport(cmd *cobra.Command, to string, export func(context.Context, io.Writer) error) (err error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	out := cmd.OutOrStdout()
	if to != "-" {
		f, failed := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(failed, fs.ErrExist) {
			return wrongUsef("%s already exists: name another file", to)
		}
		if failed != nil {
			return fmt.Errorf("making the export: %w", failed)
		}
		defer func() { err = finishFile(f, err) }()
		out = f
	}
	// What is written is read at once, so that the export is known to be whole.
	pipe, copied := io.Pipe()
	checked := make(chan error, 1)
	var counts transfer.Counts
	broken := func(err error) {
		pipe.CloseWithError(err)
		checked <- err
	}
	go background.Safely(broken, func() {
		var err error
		counts, err = transfer.CheckExport(pipe)
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
	printerOf(cmd).Note("the store is stopped now: import this export, or call it off with `caddy oauth export --undo`")
	if to == "-" {
		return nil
	}
	return printCounts(cmd, "exported", counts)
}

// finishFile makes a file that was written durable, or removes what an error has left of it.
func finishFile(f *os.File, err error) error {
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		return caddymodule.SyncDir(filepath.Dir(f.Name()))
	}
	_ = os.Remove(f.Name())
	return err
}

func countsText(c transfer.Counts) string {
	return fmt.Sprintf("%s with %s and %s; %d records in all", adminapi.Users(c.Users), adminapi.Sessions(c.Sessions), adminapi.Families(c.Families), c.Records)
}

func printCounts(cmd *cobra.Command, done string, counts transfer.Counts) error {
	if asJSON(cmd) {
		return printJSON(cmd, counts)
	}
	p := printerOf(cmd)
	p.Printf("%s: %s\n", done, countsText(counts))
	return p.Err
}

// exportRunning lets the running server write.
func exportRunning(cmd *cobra.Command, w io.Writer) error {
	resp, err := ask(cmd, adminapi.Export, nil)
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
	return withStore(cmd, func(s *caddymodule.ConfiguredStore) error {
		if err := s.Open(ctx); err != nil {
			return err
		}
		meter := newMeter(cmd)
		defer meter.clear()
		_, err := transfer.WriteExport(ctx, s.Store, w, func(c transfer.Counts) { meter.show(countsText(c)) })
		return err
	})
}

func undoExport(cmd *cobra.Command) error {
	return withStore(cmd, func(s *caddymodule.ConfiguredStore) error {
		if err := s.Open(cmd.Context()); err != nil {
			return err
		}
		was, err := s.Store.Resume(cmd.Context())
		if err != nil {
			return err
		}
		return printAnswer(cmd, adminapi.UndoExport, nil, adminapi.Resumed{Stopped: was})
	})
}

func importCommand() *cobra.Command {
	var from string
	imports := command("import --config <file> --from <file>", "Imports an export into the empty store of a configuration", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			if from == "" || !cmd.Flags().Changed("config") {
				return wrongUsef("name the configuration whose store is to be filled with --config, and the export with --from (- is the standard input)")
			}
			return withStore(cmd, func(s *caddymodule.ConfiguredStore) error { return importFile(cmd, s, from) })
		})
	imports.Flags().StringVar(&from, "from", "", "Export to read; - is the standard input")
	imports.Long = `
Fills the store that a configuration names, which must be empty, from an export.
The configuration needs the secret of the gateways that the export comes from.
An import that breaks off may be run again with the same export; until it has
finished, no gateway can open the store. See docs/moving.md.`
	return imports
}

func importFile(cmd *cobra.Command, s *caddymodule.ConfiguredStore, from string) error {
	in := cmd.InOrStdin()
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return fmt.Errorf("reading the export: %w", err)
		}
		defer func() { _ = f.Close() }()
		if _, err := transfer.CheckExport(f); err != nil { // before anything is written
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
	source, counts, err := transfer.ReadExport(ctx, s.Store, s.Secrets, s.Issuers, in, func(c transfer.Counts) { meter.show(countsText(c)) })
	if err != nil {
		return err
	}
	meter.clear()
	if err := s.Open(ctx); err != nil {
		return fmt.Errorf("opening what was imported: %w", err)
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	if behind := source.Now.Sub(now); behind > clockTolerance {
		printerOf(cmd).Note("the clock of this store is %s behind the one that the export comes from: set the clock right before a gateway starts", behind.Round(time.Second))
	}
	return printCounts(cmd, "imported", counts)
}

// clockTolerance is how far two stores' clocks may differ without a word.
const clockTolerance = 5 * time.Second

// withStore runs something on the store that the configuration of --config names.
func withStore(cmd *cobra.Command, run func(*caddymodule.ConfiguredStore) error) error {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	config, _, _, err := caddycmd.LoadConfig(flags.String("config"), flags.String("adapter"))
	if err != nil {
		return fmt.Errorf("loading the configuration: %w", err)
	}
	s, err := caddymodule.LoadStore(config)
	if err != nil {
		return err
	}
	return errors.Join(run(s), s.Close())
}
