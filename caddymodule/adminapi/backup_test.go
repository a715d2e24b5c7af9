package adminapi

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
)

// R2: a transfer that breaks off, at any byte, is no backup.
func TestR2BackupBreaksOff(t *testing.T) {
	var whole bytes.Buffer
	database := bytes.Repeat([]byte("page"), 1000)
	if err := writeBackup(&whole, bytes.NewReader(database), 4000, []byte("secret\n"), BackupSummary{Generated: true}); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if b, err := ReadBackup(bytes.NewReader(whole.Bytes()), &got); err != nil || b.Secret != "secret\n" || !bytes.Equal(got.Bytes(), database) {
		t.Fatalf("%v", err)
	}
	closed := whole.Len() - 1024 // two blocks of zeros, which nothing depends on
	for n := range closed - 511 {
		if _, err := ReadBackup(bytes.NewReader(whole.Bytes()[:n]), io.Discard); err == nil {
			t.Fatalf("%d of %d bytes are taken for a backup", n, whole.Len())
		}
	}
	for _, at := range []int{600, 2000, 4000} { // in the database
		changed := bytes.Clone(whole.Bytes())
		changed[at] ^= 1
		if _, err := ReadBackup(bytes.NewReader(changed), io.Discard); err == nil {
			t.Errorf("byte %d was changed", at)
		}
	}
	var strange bytes.Buffer
	archive := tar.NewWriter(&strange)
	if err := archive.WriteHeader(&tar.Header{Name: "../../etc/passwd", Typeflag: tar.TypeReg, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBackup(&strange, io.Discard); err == nil || !strings.Contains(err.Error(), "unknown part") {
		t.Errorf("a part of another name: %v", err)
	}
}
