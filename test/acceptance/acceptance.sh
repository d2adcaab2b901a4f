#!/usr/bin/env bash
# Boots a real systemd in a container, with a network of its own, and runs the acceptance inside (acceptance-command.ts).
# ACCEPTANCE_CACHE: where the container's tree is kept; ACCEPTANCE_RELEASE: a release to take instead of building one.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
die() {
  printf 'acceptance: %s\n' "$1" >&2
  exit 69
}
[ "$(id -u)" -eq 0 ] || die 'this needs root: a container is booted.'
for tool in systemd-nspawn mmdebstrap nsenter ip; do
  command -v "$tool" >/dev/null || die "$tool is not here: apt-get install systemd-container mmdebstrap util-linux iproute2"
done
[ -f dist/test/acceptance/acceptance-command.js ] || die 'run it by npm run acceptance, which compiles first.'

# --- the root of the container: Debian as small as it boots, made once

readonly SUITE=bookworm
readonly PACKAGES=systemd,dbus,util-linux,mount,libstdc++6,procps
cache=${ACCEPTANCE_CACHE:-/var/cache/whatsapp-backend-acceptance}
tree=$cache/$SUITE-$(printf '%s' "$SUITE $PACKAGES" | sha256sum | cut -c1-8)
if [ ! -d "$tree" ]; then
  echo "Making the container's tree in $tree (once)"
  mkdir -p "$cache"
  # From where this machine has its packages.
  sources=()
  for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -s "$list" ] && grep -q "$SUITE" "$list"; then sources+=("$list"); fi
  done
  rm -rf "$tree.new"
  excludes=()
  for path in man doc locale info; do excludes+=("--dpkgopt=path-exclude=/usr/share/$path/*"); done
  mmdebstrap --quiet --variant=essential --include="$PACKAGES" "${excludes[@]}" "$SUITE" "$tree.new" "${sources[@]}"
  : >"$tree.new/etc/machine-id"
  for unit in apt-daily.timer apt-daily-upgrade.timer fstrim.timer systemd-timesyncd.service getty.target; do
    ln -sf /dev/null "$tree.new/etc/systemd/system/$unit"
  done
  mv "$tree.new" "$tree"
fi

work=$(mktemp -d /var/tmp/acceptance.XXXXXX)
groups=()
# shellcheck disable=SC2317 # called by the trap
leave() {
  local group
  umount -l "$work/root" 2>/dev/null || true
  rm -rf "$work"
  # nspawn made groups of its own below.
  for group in "${groups[@]}"; do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}
trap leave EXIT

echo 'Building the release'
[ -z "${ACCEPTANCE_RELEASE:-}" ] || cp -a "$ACCEPTANCE_RELEASE" "$work/release"
[ -d "$work/release" ] || bash systemd/make-release.sh "$work/release" >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; die 'the release could not be built.'; }

# --- a group of its own in every hierarchy: what nspawn makes there is found and removed again
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
  [ -f "$hierarchy/cgroup.procs" ] || continue
  group=${hierarchy%/}/acceptance-$$
  mkdir "$group" 2>/dev/null || continue
  groups+=("$group")
  for share in cpuset.cpus cpuset.mems; do
    if [ -f "$group/$share" ] && [ -z "$(cat "$group/$share")" ]; then cat "${hierarchy%/}/$share" >"$group/$share"; fi
  done
done

set +e
# A mount namespace with a /run of its own (nspawn puts things there), a network of nothing but loopback, and processes that
# end with this one, whatever ends it.
bash -c '
  set -euo pipefail
  for group in "${@:4}"; do echo $$ >"$group/cgroup.procs" || true; done
  exec unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private bash -c "
    set -euo pipefail
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd
    ip link set lo up
    exec \"\$0\" --enable-source-maps dist/test/acceptance/acceptance-command.js \"\$@\"
  " "$1" "$2" "$3"
' bash "$(command -v node)" "$tree" "$work" "${groups[@]}"
code=$?
exit "$code"
