# Sourced by scripts that need a package of npm's, for tests alone.

# npm_package NAME VERSION installs a package, once, into the folder that it prints: below
# PORCHLIGHT_CACHE (default ~/.cache/porchlight). It prints nothing where npm is missing.
npm_package() {
  local folder=${PORCHLIGHT_CACHE:-${HOME:-${TMPDIR:-/tmp}}/.cache/porchlight}/$1-$2
  if [[ ! -d $folder ]]; then
    command -v node >/dev/null && command -v npm >/dev/null || return
    echo "installing $1 $2" >&2
    mkdir -p "$(dirname "$folder")"
    npm install --prefix "$folder.$$" --no-audit --no-fund --loglevel=error "$1@$2" >&2 || { rm -rf "$folder.$$" && return 1; }
    mv "$folder.$$" "$folder"
  fi
  printf '%s\n' "$folder"
}
