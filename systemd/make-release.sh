#!/usr/bin/env bash
# Builds what runs in production from this checkout: compiled code and production dependencies, nothing else to install.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: systemd/make-release.sh FILE.tar.gz | DIRECTORY

Makes a release from this checkout, as a tarball or as a directory that is not there yet. Needs npm and its registry.
The tarball runs on machines of the same processor and needs nothing but Node there:

  tar -xzf FILE.tar.gz && sudo whatsapp-backend-*/systemd/install.sh
USAGE
}

die() {
  printf 'make-release.sh: %s\n' "$1" >&2
  exit 1
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') usage >&2; exit 64 ;;
esac
[ $# -eq 1 ] || { usage >&2; exit 64; }
output=$1
case "$output" in
  /*) ;;
  *) output=$PWD/$output ;;
esac
[ ! -e "$output" ] || die "$output is there already: remove it, or name another."
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -f "$checkout/tsconfig.build.json" ] || die "$checkout is no checkout of the project: a release can not be made from a release."
command -v npm >/dev/null || die 'npm is not here: install Node with npm.'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/whatsapp-backend
mkdir "$stage"

# What git knows or would know, so that no session, log or build of this checkout comes along.
cd "$checkout"
if git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
  git -c safe.directory='*' ls-files -z --cached --others --exclude-standard -- . ':!test' ':!.ci' |
    while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done |
    tar --null -T - -cf - | tar -xf - -C "$stage"
else
  tar -cf - --exclude=./node_modules --exclude=./dist --exclude=./test --exclude='./.*' . | tar -xf - -C "$stage"
  [ ! -f .npmrc ] || cp .npmrc "$stage/"
fi

cd "$stage"
npm ci --no-audit --no-fund --prefer-offline
npm run build
# It asks for the compiler, which has done its work.
rm -f .npmrc
npm prune --omit=dev --no-audit --no-fund --prefer-offline
find dist -name '*.tsbuildinfo' -delete -o -name '.tsbuildinfo*' -delete
[ -f dist/supervisor/main.js ] || die 'the build made no dist/supervisor/main.js.'

version=$(node -p 'JSON.parse(require("fs").readFileSync("package.json", "utf8")).version')
# The same content has the same name: to install it again changes nothing.
digest=$(find . -path ./node_modules -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12)
release=$version-$digest
printf '%s\n' "$release" >RELEASE
# Whoever unpacks it is not who runs it.
chmod -R u=rwX,go=rX .

if [ "${output%.tar.gz}" != "$output" ]; then
  name=whatsapp-backend-$version
  mv "$stage" "$work/$name"
  # In place with its whole content or not at all.
  tar -czf "$output.part" -C "$work" --owner=0 --group=0 "$name"
  mv "$output.part" "$output"
else
  mv "$stage" "$output"
fi
printf 'Made release %s: %s\n' "$release" "$output"
