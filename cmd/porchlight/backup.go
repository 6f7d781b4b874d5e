package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/storage/dir"
)

// backupFormat names the layout of a backup: a tar of backup.json, records.db, the folder
// keys and the objects, in that order.
const backupFormat = "porchlight-backup/1"

// backupHead is the first file of a backup.
type backupHead struct {
	Format  string    `json:"format"`
	MadeAt  time.Time `json:"made_at"`
	Version string    `json:"version"`
}

func backupCommand() *cobra.Command {
	var s storeSettings
	var out string
	cmd := &cobra.Command{
		Use:   "backup -o FILE",
		Short: "Write records, photos and keys of the embedded stores into one file",
		Long: `Write the SQLite records as they are at this moment, the signing keys, and every photo and
attachment into one tar file, while the service goes on. The file holds the key that signs
packets: keep it as you keep that. Each photo is read and held against its SHA-256.

Postgres and S3 have tools of their own: pg_dump, and the store's replication or versions.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return errors.New("backup needs -o FILE, the file to write")
			}
			if s.database != "" || s.objects != "" {
				return errors.New("backup is for the embedded stores: use pg_dump for Postgres, and your S3 store's replication or versions for photos")
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			bar := newBar(cmd.ErrOrStderr(), -1, "objects")
			n := 0
			err = writeFile(out, func(w io.Writer) error {
				var err error
				n, err = writeBackup(cmd.Context(), w, st, keysFolder(s.keys, s.data), func() { bar.Add(1) })
				return err
			})
			bar.Finish()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d photos and attachments, the records and the keys are in %s\n", n, out)
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write")
	return cmd
}

// writeBackup writes the records first and the objects after: an object is put before its
// row, so that none that these records name is left out.
func writeBackup(ctx context.Context, w io.Writer, st *stores, keys string, step func()) (objects int, err error) {
	t := tar.NewWriter(w)
	now := time.Now().UTC()
	head, err := json.Marshal(backupHead{backupFormat, now, version})
	if err != nil {
		return 0, err
	}
	add := func(name string, size int64, from io.Reader) error {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: now, Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := io.Copy(t, from)
		return err
	}
	if err := add("backup.json", int64(len(head)), strings.NewReader(string(head))); err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "porchlight-backup-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	records := filepath.Join(folder, "records.db")
	if err := st.db.Backup(ctx, records); err != nil {
		return 0, err
	}
	if err := addFile(records, "records.db", add); err != nil {
		return 0, err
	}
	entries, err := os.ReadDir(keys)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			if err := addFile(filepath.Join(keys, e.Name()), "keys/"+e.Name(), add); err != nil {
				return 0, err
			}
		}
	}
	for _, prefix := range []string{"photos/", "attachments/"} {
		for info, err := range st.listed.List(ctx, prefix) {
			if err == nil {
				err = t.WriteHeader(&tar.Header{Name: "objects/" + info.Key, Mode: 0o600, Size: info.Size, ModTime: info.Modified, Format: tar.FormatPAX})
			}
			if err == nil {
				err = copyObject(ctx, st, info.Key, t)
			}
			if err != nil {
				return objects, fmt.Errorf("%s: %w", info.Key, err)
			}
			objects++
			step()
		}
	}
	return objects, t.Close()
}

func addFile(from, name string, add func(string, int64, io.Reader) error) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return add(name, info.Size(), f)
}

func restoreCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data folder from a backup",
		Long: `Make a new data folder from a file that "porchlight backup" wrote. The folder must not be
there, or be empty. Each photo is held against its SHA-256, and records, photos and the
custody log against each other at the end. A folder that could not be made whole is left
under another name, which is said.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
				return fmt.Errorf("--data %s is not empty: a backup goes into a folder of its own", data)
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			half := strings.TrimRight(data, "/") + ".restoring"
			if _, err := os.Stat(half); err == nil {
				return fmt.Errorf("%s is there, of a restore that was not finished: remove it first", half)
			}
			n, err := readBackup(cmd.Context(), f, half)
			if err != nil {
				return fmt.Errorf("%s, which is left in %s: %w", args[0], half, err)
			}
			s := storeSettings{data: half}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			r, err := checkStores(cmd.Context(), st, false, func() {}, func(f keepingFault) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s %s %s\n", f.Fault, f.Key, f.Text)
			})
			if err := errors.Join(err, st.Close()); err != nil {
				return err
			}
			if r.Missing+r.Altered+r.Broken > 0 {
				return fmt.Errorf("%s is not whole: %d objects missing, %d faults in the custody log; what there is is in %s", args[0], r.Missing, r.Broken, half)
			}
			if err := os.Remove(data); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := os.Rename(half, data); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d photos and attachments, the records and the keys are in %s; the custody log has %d rows and is whole\n", n, data, r.Custody)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "./data", "`FOLDER` to make")
	return cmd
}

// readBackup unpacks a backup into a new folder. Whatever the file says, nothing is
// written outside of it.
func readBackup(ctx context.Context, r io.Reader, folder string) (objects int, err error) {
	t := tar.NewReader(r)
	h, err := t.Next()
	if err != nil || h.Name != "backup.json" || h.Size > 1<<16 {
		return 0, errNoBackup
	}
	var head backupHead
	if err := json.NewDecoder(t).Decode(&head); err != nil || head.Format != backupFormat {
		return 0, errNoBackup
	}
	if err := os.MkdirAll(filepath.Join(folder, "keys"), 0o700); err != nil {
		return 0, err
	}
	store, err := dir.Open(filepath.Join(folder, "objects"))
	if err != nil {
		return 0, err
	}
	defer store.Close()
	records := false
	for {
		if err := ctx.Err(); err != nil {
			return objects, err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if !records {
				return objects, errNoBackup
			}
			return objects, nil
		}
		if err != nil {
			return objects, fmt.Errorf("it breaks off after %d objects: %w", objects, err)
		}
		key, isObject := strings.CutPrefix(h.Name, "objects/")
		name, isKey := strings.CutPrefix(h.Name, "keys/")
		switch {
		case h.Typeflag != tar.TypeReg:
			return objects, fmt.Errorf("%q is no file", h.Name)
		case isObject:
			if h.Size > audit.MaxPhotoBytes {
				return objects, fmt.Errorf("%s is larger than a photo may be", key)
			}
			b, err := io.ReadAll(t)
			if err == nil && audit.PhotoID(b) != path.Base(key) {
				err = audit.Errorf(audit.CodeCorrupted, "it no longer matches its SHA-256")
			}
			if err == nil {
				err = store.Put(ctx, key, b, "")
			}
			if err != nil {
				return objects, fmt.Errorf("%s: %w", key, err)
			}
			objects++
		case h.Name == "records.db":
			if err := writeDurably(filepath.Join(folder, "porchlight.db"), t); err != nil {
				return objects, err
			}
			records = true
		case isKey && name == filepath.Base(name) && name != "." && name != "..":
			if err := writeDurably(filepath.Join(folder, "keys", name), io.LimitReader(t, 1<<20)); err != nil {
				return objects, err
			}
		default:
			return objects, fmt.Errorf("%q is not a backup's", h.Name)
		}
	}
}

// writeDurably writes a new file that only its owner reads.
func writeDurably(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// errNoBackup says that a file is no backup.
var errNoBackup = errors.New("it is no backup of Porchlight")

// copyObject writes an object's bytes and holds them against the digest that names it.
func copyObject(ctx context.Context, st *stores, key string, w io.Writer) error {
	b, err := audit.ReadObject(ctx, st.listed, key, path.Base(key))
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
