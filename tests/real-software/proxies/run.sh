#!/usr/bin/env bash
# Measures event streams through reverse proxies, on loopback, and prints the tables of docs/behind-a-proxy.md. The proxies run with
# the code blocks of that page. With --check, compares with the tables of the page and fails on a difference. Installs what it
# needs; takes two minutes on an idle machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/support/install.sh

# Debian starts services when it installs them: a newly installed proxy is stopped before the next one needs its port.
for proxy in nginx:nginx:nginx caddy:caddy:caddy varnishd:varnish:varnish haproxy:haproxy:haproxy \
    apache2:apache2:apache2 squid:squid:squid nghttpx:nghttp2-proxy:nghttpx; do
    IFS=: read -r program package service <<<"$proxy"
    if ! PATH=$PATH:/usr/sbin command -v "$program" >/dev/null; then
        need false "$package"
        service "$service" stop >/dev/null 2>&1 || true
    fi
done

work=$(target_folder)/proxies
mkdir -p "$work"
python_env tests/real-software/proxies/requirements.txt "$work/venv"
exec "$work/venv/bin/python" tests/real-software/proxies/measure.py "$@"
