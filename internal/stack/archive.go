package stack

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// classArchive is the file of parsed classes with which a Java server starts in half the CPU time. The first server that
// runs from a cache entry writes it when it ends, which takes some seconds then; all later ones only read it. An archive
// that does not fit is ignored by Java, so at worst a start is slow.
type classArchive struct {
	path string
	lock *fileLock // held while our server is to write the archive
}

// openArchive decides whether to use the archive of the cache entry dir or to write it.
func openArchive(dir string, j java) *classArchive {
	a := &classArchive{path: filepath.Join(dir, "classes-"+key(j.bin, j.version)+".jsa")}
	if a.exists() || unix.Access(dir, unix.W_OK) != nil {
		return a
	}
	l, err := tryLock(a.path + ".lock")
	if err != nil {
		return a // another server writes it
	}
	a.lock = l
	return a
}

func (a *classArchive) exists() bool {
	_, err := os.Stat(a.path)
	return err == nil
}

// wanted tells whether the server should end in order, so that it writes the archive.
func (a *classArchive) wanted() bool { return a != nil && a.lock != nil }

func (a *classArchive) flags() []string {
	switch {
	case a.wanted():
		return []string{"-XX:ArchiveClassesAtExit=" + a.unfinished(), "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}
	case a.exists():
		return []string{"-XX:SharedArchiveFile=" + a.path, "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}
	default:
		return nil
	}
}

func (a *classArchive) unfinished() string { return a.path + ".new" }

// finish takes over the archive of a server that has ended; complete says that it did so in order.
func (a *classArchive) finish(complete bool) {
	if !a.wanted() {
		return
	}
	if complete {
		_ = os.Rename(a.unfinished(), a.path) // not written: the next server tries again
	} else {
		_ = os.Remove(a.unfinished()) // mostly not there
	}
	a.lock.unlock()
	a.lock = nil
}
