package boltstore

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockHolder returns the pid of the process that holds the file's lock, or 0
// when the kernel doesn't tell (a process of another container, no /proc).
// See proc_locks(5).
func lockHolder(path string) int {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer locks.Close()
	var found []int                                                                                   // by inode: on some file systems the device of /proc/locks is another one than stat's
	device := fmt.Sprintf("%02x:%02x:%d", major(uint64(stat.Dev)), minor(uint64(stat.Dev)), stat.Ino) //nolint:unconvert // 32 bits on some machines
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
		field := strings.Fields(lines.Text())
		if len(field) < 6 || field[1] != "FLOCK" || !strings.HasSuffix(field[5], ":"+strconv.FormatUint(stat.Ino, 10)) {
			continue
		}
		pid, err := strconv.Atoi(field[4])
		if err != nil || pid <= 0 {
			continue
		}
		if field[5] == device {
			return pid
		}
		found = append(found, pid)
	}
	if len(found) == 1 {
		return found[0]
	}
	return 0
}

// major and minor take a device number apart as glibc's gnu_dev_major(3) does.
func major(dev uint64) uint64 { return dev>>8&0xfff | dev>>32&^0xfff }
func minor(dev uint64) uint64 { return dev&0xff | dev>>12&^0xff&0xffffffff }

// unlock gives up a lock that bbolt has left behind: what it has mapped would
// hold it after the file is closed.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
