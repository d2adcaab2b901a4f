#!/usr/bin/env bash
# Installs, upgrades and removes the service. Safe to run again: what is as it should be is left alone.
set -euo pipefail

readonly NAME=whatsapp-backend
readonly HOME_DIR=/opt/$NAME
readonly ETC=/etc/$NAME
readonly CREDENTIALS=$ETC/credentials
readonly VOLUME=/var/lib/$NAME/sessions
readonly UNIT=/etc/systemd/system/$NAME.service
readonly SYSUSERS=/etc/sysusers.d/$NAME.conf
readonly TMPFILES=/etc/tmpfiles.d/$NAME.conf
readonly OLDEST_NODE=20
# A version that is up for so long with one process has come to stay.
readonly SETTLE_SECONDS=5
readonly KEPT_RELEASES=3

usage() {
  cat <<USAGE
Usage: sudo systemd/install.sh [--dry-run] [--node FILE] [--ready-timeout SECONDS]
       sudo systemd/install.sh --uninstall [--dry-run]

Installs the service, or upgrades it in place, from the checkout or the release that this script is in. A version that
does not get ready in time is taken back, and the one before runs again.

  --dry-run          says what would be done, and does nothing
  --node FILE        the Node to run it with (the one in PATH)
  --ready-timeout S  how long a version may take to get ready (120)
  --uninstall        stops and removes the service; sessions, credentials and settings stay

  $HOME_DIR   the program: releases, and which of them is current
  $ETC   settings and credentials
  $VOLUME   the volume with the sessions: mount it there, see systemd/README.md
USAGE
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}
# Does it, or with --dry-run only says so.
run() {
  if [ -n "$dry_run" ]; then
    printf '  would run: %s\n' "$*"
  else
    "$@"
  fi
}

dry_run=
action=install
node=
ready_timeout=120
while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=yes ;;
    --uninstall) action=uninstall ;;
    --node)
      [ $# -ge 2 ] || die '--node takes the path of a node.'
      node=$2
      shift
      ;;
    --ready-timeout)
      [[ "${2:-}" =~ ^[1-9][0-9]{0,3}$ ]] || die "--ready-timeout is \"${2:-}\": a whole number of seconds, up to 9999."
      ready_timeout=$2
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      printf '\ninstall.sh: "%s" is no option.\n' "$1" >&2
      exit 64
      ;;
  esac
  shift
done
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# --- what has to be there

check_machine() {
  [ "$(id -u)" -eq 0 ] || [ -n "$dry_run" ] || die 'this needs root: run it with sudo.'
  [ -d /run/systemd/system ] || die 'this machine was not booted with systemd.'
}

check_node() {
  [ -n "$node" ] || node=$(command -v node) || die "there is no node in PATH: install Node $OLDEST_NODE or newer for all users."
  local real major
  real=$(readlink -f "$node") || die "$node is not there."
  [ -x "$real" ] || die "$node can not be executed."
  major=$("$real" -p 'process.versions.node.split(".")[0]') || die "$node is no Node that runs here."
  [ "$major" -ge "$OLDEST_NODE" ] || die "$node is Node $major: Node $OLDEST_NODE or newer is needed."
  case "$real" in
    /home/* | /root/* | /tmp/*) die "$node is $real, which the service can not reach: install Node for all users, or name another with --node." ;;
  esac
  node=$real
  say "Node $("$node" -p process.versions.node) at $node"
}

# --- the parts

# Copies a file where it is missing or differs; `changed` says whether it did.
put() {
  local from=$1 to=$2 mode=$3
  changed=
  if cmp -s "$from" "$to" && [ "$(stat -c %a "$to")" = "${mode#0}" ]; then return 0; fi
  changed=yes
  say "  $to"
  run install -D -o root -g root -m "$mode" "$from" "$to"
}

make_user() {
  say 'User and directories'
  put "$release_dir/systemd/$NAME.sysusers" "$SYSUSERS" 0644
  put "$release_dir/systemd/$NAME.tmpfiles" "$TMPFILES" 0644
  run systemd-sysusers "$SYSUSERS"
  run systemd-tmpfiles --create "$TMPFILES"
}

random_hex() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
random_base64() { head -c 32 /dev/urandom | base64 -w 0; }

# A secret that is there stays, whatever it is: sessions and backups depend on it.
make_credential() {
  local path=$CREDENTIALS/$1 maker=$2 what=$3
  if [ -e "$path" ]; then
    if [ "$(stat -c '%U:%G %a' "$path")" != 'root:root 600' ]; then
      say "  $path is for root alone from now on"
      run chown root:root "$path"
      run chmod 0600 "$path"
    fi
    return 0
  fi
  say "  $path: $what"
  if [ -z "$dry_run" ]; then
    (umask 077 && "$maker" >"$path.new")
    mv "$path.new" "$path"
  fi
}

make_settings() {
  say 'Settings and credentials'
  if [ ! -e "$ETC/environment" ]; then put "$release_dir/systemd/environment.example" "$ETC/environment" 0644; fi
  make_credential admin-token random_hex 'made; the API and the dashboard ask for it'
  make_credential viewer-token true 'empty; a token that may only look, for a wall screen or Prometheus'
  make_credential backup-encryption-key random_base64 'made; keep a copy elsewhere before you turn backups on'
  make_credential backup-old-keys true 'empty; earlier backup keys, for a rotation'
  make_credential google-credentials true 'empty; the key file of a Google service account, for backups'
}

# The directory below the volume belongs to root: without the volume nobody can write there.
make_mount_point() {
  say "The volume at $VOLUME"
  if mountpoint -q "$VOLUME"; then
    if [ -n "$dry_run" ] && ! id -u "$NAME" >/dev/null 2>&1; then
      say "  would give it to $NAME"
    elif [ "$(stat -c '%U:%G %a' "$VOLUME")" != "$NAME:$NAME 700" ]; then
      say "  is mounted; it is given to $NAME, for it alone"
      run chown "$NAME:$NAME" "$VOLUME"
      run chmod 0700 "$VOLUME"
    else
      say '  is mounted'
    fi
    return 0
  fi
  if [ ! -d "$VOLUME" ]; then
    say '  the mount point is made; it stays with root'
    run install -d -o root -g root -m 0755 "$VOLUME"
  elif [ -n "$(ls -A "$VOLUME")" ]; then
    die "$VOLUME is not mounted but has files in it: move them away, and mount the volume."
  else
    run chown root:root "$VOLUME"
    run chmod 0755 "$VOLUME"
  fi
}

# Builds a checkout; a release is taken as it is.
find_release() {
  if [ -f "$source_dir/RELEASE" ]; then
    release_dir=$source_dir
    release=$(cat "$source_dir/RELEASE")
    say "Release $release"
  elif [ -n "$dry_run" ]; then
    release_dir=$source_dir
    release='of this checkout'
    say "Release: would be built from the checkout in $source_dir"
  else
    say "Building a release from the checkout in $source_dir (some minutes)"
    build_dir=$(mktemp -d)
    trap 'rm -rf "$build_dir"' EXIT
    PATH="$(dirname "$node"):$PATH" bash "$source_dir/systemd/make-release.sh" "$build_dir/release" >"$build_dir/log" 2>&1 ||
      { tail -n 20 "$build_dir/log" >&2 && die 'the build failed; nothing was changed.'; }
    release_dir=$build_dir/release
    release=$(cat "$release_dir/RELEASE")
    say "Release $release"
  fi
  [[ -n "$dry_run" || "$release" =~ ^[A-Za-z0-9._-]+$ ]] || die "$release_dir/RELEASE names no release."
}

# In place with its whole content or not at all.
place_release() {
  say "Program in $HOME_DIR"
  local target=$HOME_DIR/releases/$release
  if [ -d "$target" ]; then
    say "  release $release is there"
  else
    say "  $target"
    if [ -z "$dry_run" ]; then
      mkdir -p "$HOME_DIR/releases" "$HOME_DIR/bin"
      chmod 0755 "$HOME_DIR" "$HOME_DIR/releases" "$HOME_DIR/bin"
      rm -rf "$HOME_DIR/releases/.new"
      cp -a "$release_dir" "$HOME_DIR/releases/.new"
      chown -R root:root "$HOME_DIR/releases/.new"
      chmod 0755 "$HOME_DIR/releases/.new"
      sync -f "$HOME_DIR/releases/.new"
      mv "$HOME_DIR/releases/.new" "$target"
    fi
  fi
  point "$node" "$HOME_DIR/bin/node"
}

# A symbolic link is there all the time: the old one or the new one.
point() {
  if [ "$(readlink "$2" 2>/dev/null)" = "$1" ]; then return 0; fi
  run ln -sfn "$1" "$2.new"
  run mv -T "$2.new" "$2"
}

use_release() {
  point "releases/$1" "$HOME_DIR/current"
  put "$HOME_DIR/releases/$1/systemd/$NAME.service" "$UNIT" 0644
  [ -z "$changed" ] || run systemctl daemon-reload
}

show() { systemctl show --value -p "$1" "$NAME.service"; }

# Restarts it and waits for READY. What stands in its way goes to $failure.
start_and_wait() {
  local before pid seconds=0
  before=$(date '+%Y-%m-%d %H:%M:%S')
  failure=
  systemctl restart --no-block "$NAME.service"
  while [ "$seconds" -lt "$ready_timeout" ]; do
    sleep 1
    seconds=$((seconds + 1))
    case "$(show ActiveState)/$(show SubState)" in
      active/running)
        pid=$(show MainPID)
        sleep "$SETTLE_SECONDS"
        if [ "$(show ActiveState)" = active ] && [ "$(show MainPID)" = "$pid" ]; then return 0; fi
        failure='it ended soon after it was ready'
        break
        ;;
      failed/*)
        failure="it failed ($(show Result), exit status $(show ExecMainStatus))"
        break
        ;;
      */auto-restart)
        failure="it ended before it was ready ($(show Result), exit status $(show ExecMainStatus))"
        break
        ;;
      inactive/*)
        # The old one may still be on its way down.
        if [ -z "$(show Job)" ] || [ "$(show Job)" = 0 ]; then
          failure='systemd did not start it: is the volume mounted?'
          break
        fi
        ;;
    esac
  done
  [ -n "$failure" ] || failure="it was not ready within $ready_timeout s"
  say "  what it said:"
  journalctl -q --no-pager -u "$NAME.service" --since "$before" -n 15 -o cat | sed 's/^/    /' || true
  return 1
}

prune_releases() {
  local keep=0 directory
  # By the time at which they were placed, the newest first.
  while IFS= read -r directory; do
    keep=$((keep + 1))
    if [ "$keep" -gt "$KEPT_RELEASES" ] && [ "$directory" != "$(readlink -f "$HOME_DIR/current")" ]; then
      rm -rf "$directory"
    fi
  done < <(find "$HOME_DIR/releases" -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%C@ %p\n' | sort -rn | cut -d' ' -f2-)
}

install_service() {
  check_machine
  check_node
  find_release
  make_user
  make_settings
  make_mount_point
  place_release
  local previous=''
  [ ! -L "$HOME_DIR/current" ] || previous=$(basename "$(readlink "$HOME_DIR/current")")
  say 'Unit'
  if [ -n "$dry_run" ]; then
    put "$release_dir/systemd/$NAME.service" "$UNIT" 0644
    say "  would enable and start $NAME.service"
    say 'Nothing was changed.'
    return 0
  fi
  use_release "$release"
  systemctl enable --quiet "$NAME.service"
  if ! mountpoint -q "$VOLUME"; then
    say ''
    say "Installed, but NOT STARTED: nothing is mounted at $VOLUME. Add the volume to /etc/fstab"
    say "(systemd/README.md has the line), then: systemctl daemon-reload && mount $VOLUME && $0"
    return 0
  fi
  if [ "$previous" = "$release" ] && [ -z "$changed" ] && [ "$(show ActiveState)" = active ]; then
    say "Release $release runs already."
    return 0
  fi
  say "Starting release $release"
  if start_and_wait; then
    prune_releases
    say "  is ready: $(show StatusText)"
    say ''
    say "The token of the dashboard: sudo cat $CREDENTIALS/admin-token"
    return 0
  fi
  if [ -z "$previous" ] || [ "$previous" = "$release" ]; then
    die "release $release did not start: $failure. There is no other to go back to."
  fi
  local why=$failure
  say "Going back to release $previous"
  use_release "$previous"
  if start_and_wait; then
    die "release $release did not start: $why. Release $previous runs again: $(show StatusText)"
  fi
  die "release $release did not start ($why), and release $previous does not start either: $failure."
}

uninstall_service() {
  check_machine
  say "Stopping and removing $NAME"
  if systemctl cat "$NAME.service" >/dev/null 2>&1; then run systemctl disable --now --quiet "$NAME.service"; fi
  run rm -f "$UNIT" "$SYSUSERS" "$TMPFILES"
  run rm -rf "$HOME_DIR"
  run systemctl daemon-reload
  run systemctl reset-failed "$NAME.service" 2>/dev/null || true
  say ''
  say "These stay: the sessions in $VOLUME, the credentials and settings in $ETC, the user $NAME."
  say "To install again with all of them, run install.sh. Whoever deletes $CREDENTIALS loses the key of the backups."
}

if [ "$action" = uninstall ]; then
  uninstall_service
elif [ -n "$dry_run" ]; then
  install_service
else
  check_machine
  exec 9>/run/$NAME-install.lock
  flock -n 9 || die 'another install.sh is at work.'
  install_service
fi
