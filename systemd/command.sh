#!/usr/bin/env bash
# Runs one of the service's commands as the service would: its user, its settings, its credentials, its volume.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: sudo /opt/whatsapp-backend/current/systemd/command.sh cli|session|backup ARGUMENTS...

  command.sh cli status
  command.sh session show ACCOUNT_ID
  command.sh session check ACCOUNT_ID --linked
  command.sh backup status
  command.sh backup verify

Without arguments after it, a command explains itself.
USAGE
}

case "${1:-}" in
  cli) entry=supervisor/cli/cli-command.js ;;
  session) entry=worker/session/session-command.js ;;
  backup) entry=supervisor/backup/backup-command.js ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 64 ;;
esac
shift
[ "$(id -u)" -eq 0 ] || { echo 'command.sh: this needs root: run it with sudo.' >&2; exit 1; }

credentials=/etc/whatsapp-backend/credentials
properties=()
for name in admin-token backup-encryption-key backup-old-keys google-credentials; do
  properties+=(-p "LoadCredential=$name:$credentials/$name")
done
exec systemd-run --quiet --pipe --wait --collect --service-type=exec \
  -p User=whatsapp-backend -p UMask=0077 -p PrivateTmp=yes -p LimitCORE=0 \
  -p WorkingDirectory=/opt/whatsapp-backend/current \
  -p Environment=HETZNER_SESSIONS_PATH=/var/lib/whatsapp-backend/sessions \
  -p EnvironmentFile=/etc/whatsapp-backend/environment \
  "${properties[@]}" \
  /opt/whatsapp-backend/bin/node --enable-source-maps "dist/$entry" "$@"
