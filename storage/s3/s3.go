// Package s3 keeps objects in a bucket of any S3-compatible store, each under its key.
//
// An object is put with If-None-Match: *, in one request of known size, with its
// SHA-256 computed beforehand: the store refuses bytes that changed on their way, and
// the first of two writers wins. Where retention is on, every object is locked as it is
// put, and the lock is read back before Put returns.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"porchlight/audit"
	"porchlight/storage"
)

// LockMode says who can lift an object's lock before its time.
type LockMode string

const (
	Governance LockMode = "GOVERNANCE" // those with a special permission
	Compliance LockMode = "COMPLIANCE" // nobody
)

// Config says which bucket, and how to reach it.
type Config struct {
	Endpoint     string // host or host:port
	Region       string // us-east-1 where empty
	AccessKey    string
	SecretKey    string
	SessionToken string
	Secure       bool   // HTTPS
	Bucket       string // made where absent, unless it must exist
	MustExist    bool
	Prefix       string // before every key, without a slash at its end; may be empty
	// Retention locks every object for that long from when it is put. 0: no lock.
	Retention time.Duration
	LockMode  LockMode // Compliance where empty
	// Now is time.Now where nil.
	Now func() time.Time
}

// Store is a bucket of objects. It is safe for concurrent use.
type Store struct {
	config Config
	client minio.Core
}

// Info is what is known of an object without reading it.
type Info = storage.Info

// How long a request may take. A photo of 25 MB passes in putTimeout at 2 Mbit/s.
const (
	askTimeout  = 20 * time.Second
	putTimeout  = 2 * time.Minute
	idleTimeout = 30 * time.Second // without a byte while an object is read
	maxTries    = 4
)

// Open reaches the store and makes the bucket where it is absent. Errors:
// [audit.CodeInvalid] for a configuration that cannot be, or retention on a bucket
// without object lock; [audit.CodeNotFound] where the bucket must exist and does not;
// [audit.CodeUnavailable].
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.LockMode == "" {
		c.LockMode = Compliance
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Prefix != "" {
		if err := storage.CheckKey(c.Prefix); err != nil {
			return nil, audit.Errorf(audit.CodeInvalid, "the prefix of the object keys cannot be one", err)
		}
		c.Prefix += "/"
	}
	if c.Retention < 0 || c.LockMode != Governance && c.LockMode != Compliance {
		return nil, audit.Errorf(audit.CodeInvalid, "retention is a time and a mode, %s or %s", Governance, Compliance)
	}
	if err := s3utils.CheckValidBucketName(c.Bucket); err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "the bucket's name cannot be one", err)
	}
	client, err := minio.NewCore(c.Endpoint, &minio.Options{
		Creds:  credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken),
		Secure: c.Secure, Region: c.Region, Transport: transport(), TrailingHeaders: true, MaxRetries: maxTries,
	})
	if err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "the object store's address cannot be one", err)
	}
	s := &Store{config: c, client: *client}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := s.makeBucket(ctx); err != nil {
		return nil, err
	}
	if c.Retention > 0 {
		enabled, _, _, _, err := client.GetObjectLockConfig(ctx, c.Bucket)
		if err != nil && minio.ToErrorResponse(err).StatusCode != http.StatusNotFound {
			return nil, failure("the bucket's object lock cannot be read", err)
		}
		if enabled != "Enabled" {
			return nil, audit.Errorf(audit.CodeInvalid, "retention needs a bucket that was made with object lock")
		}
	}
	return s, nil
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		ExpectContinueTimeout: 5 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		DisableCompression:    true,
	}
}

func (s *Store) makeBucket(ctx context.Context) error {
	there, err := s.client.BucketExists(ctx, s.config.Bucket)
	if err != nil {
		return failure("the object store cannot be reached", err)
	}
	if there {
		return nil
	}
	if s.config.MustExist {
		return audit.Errorf(audit.CodeNotFound, "there is no bucket %s", s.config.Bucket)
	}
	err = s.client.MakeBucket(ctx, s.config.Bucket, minio.MakeBucketOptions{Region: s.config.Region, ObjectLocking: s.config.Retention > 0})
	if minio.ToErrorResponse(err).Code == "BucketAlreadyOwnedByYou" { // another program was faster
		return nil
	}
	return failure("the bucket cannot be made", err)
}

// Ping tells whether the bucket can be reached. Errors: [audit.CodeUnavailable].
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	there, err := s.client.BucketExists(ctx, s.config.Bucket)
	if err == nil && !there {
		return audit.Errorf(audit.CodeUnavailable, "the object store has no such bucket")
	}
	return failure("the object store cannot be reached", err)
}

// Put makes an object durable under its key, unless there is one: then it leaves that
// and returns nil. Errors: [audit.CodeInvalid] for a key that is none,
// [audit.CodeConflict] where the object there has another size,
// [audit.CodeUnavailable].
func (s *Store) Put(ctx context.Context, key string, b []byte, mediaType string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	sum := sha256.Sum256(b)
	options := minio.PutObjectOptions{
		ContentType:      mediaType,
		DisableMultipart: true,
		// The digest below signs the body; without this the client would hash every chunk
		// again over plain HTTP.
		DisableContentSha256: true,
		UserMetadata:         map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:])},
	}
	options.SetMatchETagExcept("*")
	var until time.Time
	if s.config.Retention > 0 {
		until = s.config.Now().Add(s.config.Retention).Truncate(time.Second).UTC()
		options.Mode, options.RetainUntilDate = minio.RetentionMode(s.config.LockMode), until
	}
	_, err := s.client.PutObject(ctx, s.config.Bucket, s.config.Prefix+key, bytes.NewReader(b), int64(len(b)), "", hex.EncodeToString(sum[:]), options)
	if err != nil {
		return s.afterRefusal(ctx, key, len(b), err)
	}
	if s.config.Retention > 0 {
		info, err := s.Stat(ctx, key)
		if err != nil {
			return err
		}
		if info.RetainUntil.Before(until) {
			return audit.Errorf(audit.CodeInternal, "the object store took %s but did not lock it", key)
		}
	}
	return nil
}

// MaxFileBytes is the largest file that one put may take, by S3's own limit.
const MaxFileBytes = 5 << 30

// PutFile writes a file under a key, over what was there, without holding it in memory:
// it is read once for its digest and once to be sent. Errors: [audit.CodeInvalid] for a
// key that is none or a file over [MaxFileBytes], [audit.CodeUnavailable].
func (s *Store) PutFile(ctx context.Context, key string, file *os.File, mediaType string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	digest := sha256.New()
	_, err := file.Seek(0, io.SeekStart)
	var size int64
	if err == nil {
		size, err = io.Copy(digest, file)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return audit.Errorf(audit.CodeUnreadable, "the file for %s cannot be read", key, err)
	}
	if size > MaxFileBytes {
		return audit.Errorf(audit.CodeInvalid, "the file for %s has %d bytes, and S3 takes %d at once", key, size, int64(MaxFileBytes))
	}
	sum := digest.Sum(nil)
	_, err = s.client.PutObject(ctx, s.config.Bucket, s.config.Prefix+key, file, size, "", hex.EncodeToString(sum), minio.PutObjectOptions{
		ContentType: mediaType, DisableMultipart: true, DisableContentSha256: true,
		UserMetadata: map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum)},
	})
	return failure("the file cannot be stored", err)
}

// afterRefusal looks at what is stored after a put that failed. The object may be
// there: put before, put by another writer at the same time, or by an earlier try of
// this request whose answer was lost.
func (s *Store) afterRefusal(ctx context.Context, key string, size int, refusal error) error {
	info, err := s.Stat(ctx, key)
	switch {
	case err == nil && info.Size == int64(size):
		return nil
	case err == nil:
		return audit.Errorf(audit.CodeConflict, "an object %s of %d bytes is stored, not of %d", key, info.Size, size)
	}
	return failure("the photo cannot be stored", refusal)
}

// Open streams an object; the size is in bytes. Errors: [audit.CodeNotFound],
// [audit.CodeInvalid], [audit.CodeUnavailable].
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	// The core's GetObject asks at once; the plain client's only when it is read.
	body, info, _, err := s.client.GetObject(ctx, s.config.Bucket, s.config.Prefix+key, minio.GetObjectOptions{})
	if err != nil {
		cancel()
		return nil, 0, failure("the object cannot be read", err)
	}
	return newStream(body, cancel), info.Size, nil
}

// Stat describes an object. Errors: as [Store.Open].
func (s *Store) Stat(ctx context.Context, key string) (Info, error) {
	info, _, err := s.stat(ctx, key)
	return info, err
}

func (s *Store) stat(ctx context.Context, key string) (Info, minio.ObjectInfo, error) {
	if err := storage.CheckKey(key); err != nil {
		return Info{}, minio.ObjectInfo{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	o, err := s.client.StatObject(ctx, s.config.Bucket, s.config.Prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, o, failure("the object cannot be read", err)
	}
	info := Info{Key: key, Size: o.Size, Modified: o.LastModified}
	// The answer to GetObjectRetention is not the same everywhere, these headers are.
	if o.Metadata.Get("X-Amz-Object-Lock-Mode") != "" {
		info.RetainUntil, err = time.Parse(time.RFC3339, o.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
		if err != nil {
			return Info{}, o, failure("the object's lock cannot be read", err)
		}
	}
	return info, o, nil
}

// List gives the objects whose keys begin with the prefix. Errors end the list.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if err := ctx.Err(); err != nil {
			yield(Info{}, failure("the objects cannot be listed", err))
			return
		}
		for o := range s.client.ListObjectsIter(ctx, s.config.Bucket, minio.ListObjectsOptions{Prefix: s.config.Prefix + prefix, Recursive: true}) {
			if o.Err != nil {
				yield(Info{}, failure("the objects cannot be listed", o.Err))
				return
			}
			key := strings.TrimPrefix(o.Key, s.config.Prefix)
			if storage.CheckKey(key) != nil {
				continue // not ours: a folder's own entry, for one
			}
			if !yield(Info{Key: key, Size: o.Size, Modified: o.LastModified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Info{}, failure("the objects cannot be listed", err))
		}
	}
}

// Delete removes an object; one that is not there is removed already. Errors:
// [audit.CodeImmutable] while the object is locked.
func (s *Store) Delete(ctx context.Context, key string) error {
	info, o, err := s.stat(ctx, key)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if info.RetainUntil.After(s.config.Now()) {
		return audit.Errorf(audit.CodeImmutable, "the object is locked until %s", info.RetainUntil.Format(time.RFC3339))
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// In a bucket with versions, without naming one, the bytes would stay behind a marker.
	err = s.client.RemoveObject(ctx, s.config.Bucket, s.config.Prefix+key, minio.RemoveObjectOptions{VersionID: o.VersionID})
	return failure("the object cannot be deleted", err)
}

// failure words the store's error, by its code.
func failure(message string, err error) error {
	if err == nil {
		return nil
	}
	code := audit.CodeUnavailable
	answer := minio.ErrorResponse{}
	if errors.As(err, &answer) {
		switch answer.Code {
		case "NoSuchKey", "NotFound":
			return audit.Errorf(audit.CodeNotFound, "no such object", err)
		case "NoSuchBucket":
			message += ": the bucket is gone"
		case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken":
			message += ": the object store refuses the credentials"
		case "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
			message += ": the object store is full"
		case "KeyTooLongError", "XMinioInvalidObjectName", "InvalidBucketName":
			code = audit.CodeInvalid
		}
	}
	return &audit.Error{Code: code, Message: message, Err: err}
}
