package storagetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // for Postgres
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// RequireVariable, set to 1, turns a skip for want of a server into a failure. The
// script that starts the servers sets it.
const RequireVariable = "PORCHLIGHT_TEST_REQUIRE"

// Server is the value of an environment variable that names a real server. Without it
// the test is skipped, or fails where servers are required.
func Server(t testing.TB, variable string) string {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" && os.Getenv(RequireVariable) == "1" {
		t.Fatalf("%s is not set, and %s=1 says that it must be", variable, RequireVariable)
	}
	if v == "" {
		t.Skipf("%s is not set: .ci/servers.sh starts the servers and sets it", variable)
	}
	return v
}

// Postgres is the URL of a schema of its own on the server that PORCHLIGHT_TEST_POSTGRES
// names. The schema goes when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server := Server(t, "PORCHLIGHT_TEST_POSTGRES")
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("PORCHLIGHT_TEST_POSTGRES is no URL")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	schema := "t_" + strings.ToLower(rand.Text())
	if _, err := admin.ExecContext(t.Context(), `CREATE SCHEMA `+schema); err != nil {
		t.Fatalf("Postgres at PORCHLIGHT_TEST_POSTGRES: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.Background(), `DROP SCHEMA `+schema+` CASCADE`); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// Bucket is a bucket that need not exist yet, and the server that holds it.
type Bucket struct {
	Endpoint, AccessKey, SecretKey, Region, Name string
	Secure                                       bool
}

// S3 names a bucket of its own on the server that PORCHLIGHT_TEST_S3_ENDPOINT names, any
// S3-compatible one. It is emptied and removed when the test ends, but for locked objects.
func S3(t testing.TB) Bucket {
	t.Helper()
	b := Bucket{
		Endpoint: Server(t, "PORCHLIGHT_TEST_S3_ENDPOINT"), AccessKey: Server(t, "PORCHLIGHT_TEST_S3_ACCESS_KEY"),
		SecretKey: Server(t, "PORCHLIGHT_TEST_S3_SECRET_KEY"), Region: cmp.Or(os.Getenv("PORCHLIGHT_TEST_S3_REGION"), "us-east-1"),
		Secure: os.Getenv("PORCHLIGHT_TEST_S3_SECURE") == "1", Name: "porchlight-" + strings.ToLower(rand.Text()),
	}
	client, err := minio.New(b.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(b.AccessKey, b.SecretKey, ""), Secure: b.Secure, Region: b.Region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		for o := range client.ListObjectsIter(ctx, b.Name, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
			_ = client.RemoveObject(ctx, b.Name, o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID, GovernanceBypass: true})
		}
		_ = client.RemoveBucket(ctx, b.Name)
	})
	return b
}
