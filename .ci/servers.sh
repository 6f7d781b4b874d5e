#!/usr/bin/env bash
# Runs a command beside real servers: an S3 store (versitygw) and Postgres.
#
#   .ci/servers.sh go test ./storage/...
#
# Where npm is, it also installs an OpenID provider (oidc-provider), which the test of
# sign-in starts itself, and axe-core, which looks for what keeps people from using a page.
#
# Both listen on 127.0.0.1, on free ports, with keys of their own, in directories of
# their own; both are gone when the command ends, however it ends. The command's exit
# status is this script's. It works as root (Postgres then runs as the user postgres)
# and as anybody.
#
# What it sets for the command:
#   PORCHLIGHT_TEST_POSTGRES                            a postgres:// URL
#   PORCHLIGHT_TEST_S3_ENDPOINT _ACCESS_KEY _SECRET_KEY _REGION _SECURE
#   PORCHLIGHT_TEST_VERSITYGW, _POSTGRES_BIN            the programs, for tests that kill servers of their own
#   PORCHLIGHT_TEST_OIDC_PROVIDER                       the folder of oidc-provider, where it could be installed
#   PORCHLIGHT_TEST_AXE                                 axe.min.js, where axe-core could be installed
#   PORCHLIGHT_TEST_REQUIRE=1                           a test that would skip for want of a server fails
#
# What it reads: PORCHLIGHT_CACHE, where the S3 server's binary and npm's packages are kept
# (default ~/.cache/porchlight).
set -euo pipefail

versitygw_version=v1.8.0
oidc_provider_version=9.13.3
axe_version=4.14.1
. "$(dirname "${BASH_SOURCE[0]}")/npm.sh"

say() { printf 'servers: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

[[ $# -gt 0 ]] || die "usage: $0 COMMAND [ARGUMENT...]"

work=$(mktemp -d "${TMPDIR:-/tmp}/porchlight-servers.XXXXXX")
chmod 755 "$work" # the user postgres must pass through it
s3_pid= pg_ctl= pg_data= command_pid=

# as_postgres runs a command as one who may run Postgres, which refuses root.
as_postgres() {
  if [[ $(id -u) -ne 0 ]]; then
    "$@"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$work" "$@"
  elif command -v runuser >/dev/null; then
    runuser -u postgres -- "$@"
  else
    die "as root, setpriv or runuser is needed to run Postgres"
  fi
}

cleanup() {
  local status=$?
  trap - EXIT INT TERM HUP
  if [[ -n $command_pid ]]; then
    kill -TERM -- "-$command_pid" 2>/dev/null || true
    wait "$command_pid" 2>/dev/null || true
  fi
  if [[ -n $pg_ctl && -f $pg_data/postmaster.pid ]]; then
    as_postgres "$pg_ctl" -D "$pg_data" -m immediate -w stop >/dev/null 2>&1 || say "Postgres did not stop"
  fi
  if [[ -n $s3_pid ]]; then
    kill -TERM "$s3_pid" 2>/dev/null || true
    wait "$s3_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# free_port prints a port that nobody listens on. Somebody may take it before we do:
# each server is tried on several.
free_port() {
  local port
  for _ in {1..50}; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s\n' "$port"
      return
    fi
  done
  die "no free port was found"
}

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

install_versitygw() {
  versitygw=${PORCHLIGHT_CACHE:-${HOME:-$work}/.cache/porchlight}/bin/versitygw-$versitygw_version
  [[ -x $versitygw ]] && return
  command -v go >/dev/null || die "go is needed to build versitygw"
  say "building versitygw $versitygw_version (about a minute, once)"
  mkdir -p "$(dirname "$versitygw")"
  # Outside any module, so that ours does not choose its dependencies.
  (cd "$work" && GOBIN="$work/bin" GOFLAGS=-mod=mod go install "github.com/versity/versitygw/cmd/versitygw@$versitygw_version") >&2 ||
    die "versitygw cannot be built"
  mv "$work/bin/versitygw" "$versitygw.$$"
  mv "$versitygw.$$" "$versitygw"
}

start_s3() {
  install_versitygw
  local access secret_key port
  access=$(secret)
  secret_key=$(secret)
  mkdir -p "$work/s3/data" "$work/s3/versions"
  for _ in {1..5}; do
    port=$(free_port)
    # Without keep-alive an early refusal reaches the client as a reset.
    (cd "$work/s3" && ROOT_ACCESS_KEY_ID=$access ROOT_SECRET_ACCESS_KEY=$secret_key exec "$versitygw" \
      --port "127.0.0.1:$port" --health /health --keep-alive --quiet \
      posix --versioning-dir "$work/s3/versions" "$work/s3/data") >"$work/s3/log" 2>&1 &
    s3_pid=$!
    if wait_for_s3 "$port"; then
      export PORCHLIGHT_TEST_S3_ENDPOINT=127.0.0.1:$port PORCHLIGHT_TEST_S3_ACCESS_KEY=$access PORCHLIGHT_TEST_S3_SECRET_KEY=$secret_key
      export PORCHLIGHT_TEST_S3_REGION=us-east-1 PORCHLIGHT_TEST_S3_SECURE=0
      return
    fi
    kill -TERM "$s3_pid" 2>/dev/null || true
    wait "$s3_pid" 2>/dev/null || true
    s3_pid=
  done
  cat "$work/s3/log" >&2
  die "versitygw does not start"
}

wait_for_s3() {
  local answer
  for _ in {1..300}; do
    kill -0 "$s3_pid" 2>/dev/null || return 1
    # The port alone may be somebody else's: the health page is asked for.
    if answer=$(ask_health "$1") && [[ $answer == HTTP/1.?" 200"* ]]; then
      return 0
    fi
    sleep 0.2
  done
  return 1
}

ask_health() {
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
  local line
  IFS= read -r -t 5 line <&3 || return 1
  printf '%s\n' "$line"
} 2>/dev/null

# find_postgres prints the directory of Postgres's own programs, the newest first.
find_postgres() {
  local bin
  while IFS= read -r bin; do
    [[ -x $bin/initdb && -x $bin/pg_ctl && -x $bin/postgres ]] && printf '%s\n' "$bin" && return
  done < <(
    ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV
    command -v pg_config >/dev/null && pg_config --bindir
    command -v initdb >/dev/null && dirname "$(readlink -f "$(command -v initdb)")"
    ls -d /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin 2>/dev/null | sort -rV
  )
  return 1
}

install_postgres() {
  [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || die "Postgres 15 or newer is not installed (Debian: apt-get install postgresql)"
  say "installing postgresql"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; } >&2 ||
    die "postgresql cannot be installed"
}

start_postgres() {
  local bin version port password
  bin=$(find_postgres) || { install_postgres && bin=$(find_postgres); } || die "Postgres's programs are not found"
  version=$("$bin/postgres" --version)
  version=$(sed -E 's/^[^0-9]*([0-9]+).*/\1/' <<<"$version")
  [[ $version -ge 15 ]] || die "Postgres $version is too old, 15 is needed"
  password=$(secret)
  mkdir "$work/postgres"
  (umask 077 && printf '%s\n' "$password" >"$work/postgres/password")
  if [[ $(id -u) -eq 0 ]]; then
    id postgres >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin postgres
    chown -R postgres: "$work/postgres"
  fi
  # The socket's path has a limit of about 100 bytes, and lies in the data's parent.
  as_postgres "$bin/initdb" -N -D "$work/postgres/data" -U porchlight -A scram-sha-256 --pwfile "$work/postgres/password" \
    -E UTF8 --locale C >"$work/postgres/log" 2>&1 || { cat "$work/postgres/log" >&2 && die "initdb failed"; }
  pg_ctl=$bin/pg_ctl pg_data=$work/postgres/data
  for _ in {1..5}; do
    port=$(free_port)
    # Memory and log as one gives them to a database of a million photos.
    if as_postgres "$pg_ctl" -D "$pg_data" -w -t 120 -l "$work/postgres/server.log" \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$work/postgres' -c fsync=on -c max_connections=200 -c shared_buffers=512MB -c max_wal_size=4GB" start >/dev/null 2>&1; then
      export PORCHLIGHT_TEST_POSTGRES="postgres://porchlight:$password@127.0.0.1:$port/postgres?sslmode=disable"
      return
    fi
  done
  cat "$work/postgres/server.log" >&2
  die "Postgres does not start"
}

# find_oidc_provider finds oidc-provider. Without it a small provider in the test binary is
# all that sign-in is tested with, so that going on is right.
find_oidc_provider() {
  local folder
  folder=$(npm_package oidc-provider "$oidc_provider_version") || { say "oidc-provider cannot be installed: sign-in is tested without it" && return; }
  export PORCHLIGHT_TEST_OIDC_PROVIDER=$folder
}

# find_axe finds axe-core. Without it pages are tested without it, and the tests say so.
find_axe() {
  local folder
  folder=$(npm_package axe-core "$axe_version") || { say "axe-core cannot be installed: pages are tested without it" && return; }
  export PORCHLIGHT_TEST_AXE=$folder/node_modules/axe-core/axe.min.js
}

find_axe
find_oidc_provider
start_s3
start_postgres
export PORCHLIGHT_TEST_VERSITYGW=$versitygw PORCHLIGHT_TEST_POSTGRES_BIN=${pg_ctl%/*}
export PORCHLIGHT_TEST_REQUIRE=1
say "S3 at $PORCHLIGHT_TEST_S3_ENDPOINT, Postgres at ${PORCHLIGHT_TEST_POSTGRES##*@}"

# In the background, so that an interrupt is heard while it runs, and in a process group
# of its own (set -m), so that what the command started is stopped with it.
set -m
"$@" <&0 &
command_pid=$!
set +m
status=0
wait "$command_pid" || status=$?
command_pid=
exit "$status"
