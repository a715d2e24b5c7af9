package login

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// files are what a Local reads, and what was good in them the last time.
type files struct {
	users, profiles watched
	listed          []User
	known           profiles
	strangers       []string // whom the log has named
}

// watched is a file that is read whenever it changes.
type watched struct {
	path   string      // "" for none
	info   os.FileInfo // of the file as read
	readAt time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// maxBadLines is how many lines of a users file are named in the log that cannot be used,
// and how many users of a profiles file whom nobody knows.
const maxBadLines = 20

// changed reports whether the file is another than the one that was read. One
// that was written in the last moment before may have changed again without
// another time stamp.
func (w *watched) changed() bool {
	if w.path == "" {
		return false
	}
	info, err := os.Stat(w.path)
	if err != nil || w.info == nil {
		return true
	}
	return !os.SameFile(info, w.info) || info.Size() != w.info.Size() || !info.ModTime().Equal(w.info.ModTime()) ||
		w.readAt.Sub(info.ModTime()) < 2*lookEvery
}

// Load reads the files. A line of the users file that cannot be used is logged by its
// number, and the other users can sign in; the error is that no line can, or a file. Without
// Load the first sign-in does so.
func (l *Local) Load() error {
	if l.cfg.UsersFile == "" && l.cfg.ProfilesFile == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read()
}

// current returns the users, and reads a file again when it has changed. A
// file that cannot be used leaves the users as they were: a slip in an editor
// must not lock everybody out.
func (l *Local) current() *userSet {
	if l.cfg.UsersFile == "" && l.cfg.ProfilesFile == "" {
		return l.users.Load()
	}
	now := l.cfg.Clock().UnixNano()
	if last := l.checked.Load(); now-last < int64(lookEvery) && last != 0 {
		return l.users.Load()
	}
	if l.checked.Load() == 0 {
		l.mu.Lock() // the first look: everybody waits for it
	} else if !l.mu.TryLock() {
		return l.users.Load()
	}
	defer l.mu.Unlock()
	if l.files.users.changed() || l.files.profiles.changed() {
		if err := l.read(); err != nil {
			l.cfg.Logger.Error("reading users file or profiles file; the users stay as they were", "login", l.cfg.Name, "error", err)
		}
	}
	l.checked.Store(now)
	return l.users.Load()
}

// read reads what has changed, and replaces the users. Of a file that cannot be used the
// last good one stays, and what is new in the other counts. The caller holds mu.
func (l *Local) read() error {
	err := errors.Join(l.readUsers(), l.readProfiles())
	set, made := newUserSet(l.cfg.Name, l.cfg.Users, l.files.known)
	if made != nil {
		return made
	}
	for _, u := range l.files.listed {
		_ = set.add(l.cfg.Name, u, l.files.known) // readUsers has said so
	}
	l.users.Store(set)
	l.checked.Store(l.cfg.Clock().UnixNano())
	if err == nil {
		l.warnStrangers(set)
	}
	return err
}

// readUsers reads the users file if it has changed.
func (l *Local) readUsers() error {
	w := &l.files.users
	if !w.changed() {
		return nil
	}
	w.readAt = time.Now()
	users, info, err := readUsersFile(w.path)
	if err != nil {
		return err
	}
	set, err := newUserSet(l.cfg.Name, l.cfg.Users, nil)
	if err != nil {
		return err
	}
	var bad []error
	for _, u := range users {
		if err := set.add(l.cfg.Name, u, nil); err != nil {
			bad = append(bad, err)
		}
	}
	if len(bad) > 0 && len(set.byName) == len(l.cfg.Users) {
		return fmt.Errorf("no line of the users file can be used: %w", bad[0])
	}
	for _, err := range bad[:min(len(bad), maxBadLines)] {
		l.cfg.Logger.Error("a line of the users file cannot be used; the other users can sign in", "login", l.cfg.Name, "bad_lines", len(bad), "error", err)
	}
	w.info, l.files.listed = info, users
	return nil
}

// readProfiles reads the profiles file if it has changed.
func (l *Local) readProfiles() error {
	w := &l.files.profiles
	if !w.changed() {
		return nil
	}
	w.readAt = time.Now()
	known, info, err := readProfiles(w.path, l.cfg.Reserved)
	if err != nil {
		return err
	}
	w.info, l.files.known = info, known
	return nil
}

// warnStrangers names whom the profiles file knows and nobody else does, once.
func (l *Local) warnStrangers(set *userSet) {
	strangers := l.files.known.strangers(set)
	if slices.Equal(strangers, l.files.strangers) {
		return
	}
	l.files.strangers = strangers
	for _, name := range strangers[:min(len(strangers), maxBadLines)] {
		l.cfg.Logger.Warn("the profiles file has a user who is none: add a user of this name, or take it out there", "login", l.cfg.Name, "user", name, "strangers", len(strangers))
	}
}
