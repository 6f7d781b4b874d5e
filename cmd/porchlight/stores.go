package main

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/pflag"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/dispute/pdf"
	"porchlight/server"
	"porchlight/server/stamper"
	"porchlight/storage"
	"porchlight/storage/dir"
	"porchlight/storage/s3"
	"porchlight/storage/sqldb"
)

// storeSettings say where records and photos are kept.
type storeSettings struct {
	data, keys, database, objects, checklist, lockMode, authority string
	retention                                                     time.Duration

	unkept bool // the checklist is only tried: it is not kept under its version
}

func (s *storeSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.data, "data", "./data", "folder for the embedded database, photos and keys")
	f.StringVar(&s.keys, "keys", "", "folder with the key that signs packets, made where there is none; default the folder keys in --data; machines that work together share one")
	f.StringVar(&s.database, "database", "", "database `URL`: postgres://...; default the SQLite file porchlight.db in --data")
	f.StringVar(&s.objects, "objects", "", "where photos are kept: s3://BUCKET[/PREFIX], with AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment; default the folder objects in --data")
	f.StringVar(&s.checklist, "checklist", "", "checklist `FILE` to judge by; default the built-in guide-2026")
	f.DurationVar(&s.retention, "object-lock", 0, "lock each photo in S3 against deletion for this long, such as 12960h (540 days)")
	f.StringVar(&s.lockMode, "object-lock-mode", "compliance", "who may lift a lock before its time: compliance (nobody) or governance (those with a special permission)")
	f.StringVar(&s.authority, "timestamp-authority", "", "`URL` of a time-stamp authority (RFC 3161) that vouches for the time of each packet; none by default")
	setting("data", "keys", "database", "objects", "checklist", "object-lock", "object-lock-mode", "timestamp-authority")
}

// stores are the opened stores with the services on top.
type stores struct {
	db      *sqldb.DB
	objects server.ObjectStore
	listed  objectLister // the same, uncounted
	audit   *audit.Service
	dispute *dispute.Service
	metrics *server.StoreMetrics
}

// objectLister is an object store that tells what it has, and lets go of it.
type objectLister interface {
	server.ObjectStore
	Stat(ctx context.Context, key string) (storage.Info, error)
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error]
}

// collectors are what the stores can be watched by.
func (s *stores) collectors() []prometheus.Collector {
	all := []prometheus.Collector{s.metrics}
	for name, pool := range s.db.Pools() {
		all = append(all, collectors.NewDBStatsCollector(pool, name))
	}
	return all
}

func (s *stores) Close() error { return s.db.Close() }

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// open opens the stores and wires the services: this is the only place where they meet.
func (s *storeSettings) open(ctx context.Context) (*stores, error) {
	checklist, err := readChecklist(s.checklist)
	if err != nil {
		return nil, err
	}
	var authority dispute.Authority
	if s.authority != "" {
		if authority, err = stamper.New(s.authority, "Porchlight/"+version); err != nil {
			return nil, fmt.Errorf("--timestamp-authority: %w", err)
		}
	}
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	listed, err := s.openObjects(ctx)
	if err != nil {
		return nil, err
	}
	metrics := server.NewStoreMetrics()
	objects := metrics.Objects(listed)
	db, err := sqldb.Open(ctx, sqldb.Config{URL: databaseURL(s.database, s.data), Observe: metrics.Records})
	if err != nil {
		return nil, err
	}
	st := &stores{db: db, objects: objects, listed: listed, metrics: metrics}
	if !s.unkept {
		if err := db.SaveChecklist(ctx, checklist.Version, checklist.Text(), time.Now().UTC()); err != nil {
			db.Close()
			return nil, err
		}
	}
	st.audit = audit.NewService(audit.Config{Objects: objects, Records: db, Archive: db, Checklist: checklist, NewID: newID})
	keys := keysFolder(s.keys, s.data)
	if err := os.MkdirAll(keys, 0o700); err != nil {
		db.Close()
		return nil, fmt.Errorf("--keys: %w", err)
	}
	signer, err := dispute.LoadOrCreateKey(keys)
	if err != nil {
		db.Close()
		return nil, err
	}
	st.dispute = dispute.NewService(dispute.Config{Records: db, Objects: objects, NewID: newID, Now: time.Now, Signer: signer, Authority: authority, DriverRecord: driverRecord(db), Document: pdf.Document{Originals: st.audit.Original}})
	return st, nil
}

// keysFolder is --keys, by default the folder keys in --data.
func keysFolder(keys, data string) string {
	if keys == "" {
		return filepath.Join(data, "keys")
	}
	return keys
}

// databaseURL is --database, by default the SQLite file in --data.
func databaseURL(database, data string) string {
	if database == "" {
		return filepath.Join(data, "porchlight.db")
	}
	return database
}

func (s *storeSettings) openObjects(ctx context.Context) (objectLister, error) {
	if s.objects == "" {
		return dir.Open(filepath.Join(s.data, "objects"))
	}
	mode := s3.LockMode(strings.ToUpper(s.lockMode))
	if mode != s3.Compliance && mode != s3.Governance {
		return nil, fmt.Errorf("--object-lock-mode %q is not compliance or governance", s.lockMode)
	}
	c, err := bucket(s.objects)
	if err != nil {
		return nil, fmt.Errorf("--objects: %w", err)
	}
	c.Retention, c.LockMode = s.retention, mode
	return s3.Open(ctx, c)
}

// bucket is what s3://BUCKET[/PREFIX] means, with the keys and the address that are in the
// environment.
func bucket(name string) (c s3.Config, err error) {
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return c, fmt.Errorf("%q is not s3://BUCKET or s3://BUCKET/PREFIX", name)
	}
	endpoint := os.Getenv("AWS_ENDPOINT_URL_S3")
	if endpoint == "" {
		endpoint = os.Getenv("AWS_ENDPOINT_URL")
	}
	if endpoint == "" {
		endpoint = "https://s3.amazonaws.com"
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https") {
		return c, fmt.Errorf("AWS_ENDPOINT_URL %q is not http://HOST:PORT or https://HOST", endpoint)
	}
	return s3.Config{
		Endpoint: at.Host, Secure: at.Scheme == "https", Region: os.Getenv("AWS_REGION"),
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
		Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"),
	}, nil
}

// readChecklist reads the checklist file, or gives the built-in one for no name.
func readChecklist(name string) (*audit.Checklist, error) {
	if name == "" {
		return audit.Guide2026(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--checklist: %w", err)
	}
	defer f.Close()
	c, err := audit.ReadChecklist(f)
	if err != nil {
		return nil, fmt.Errorf("--checklist %s: %w", name, err)
	}
	return c, nil
}
