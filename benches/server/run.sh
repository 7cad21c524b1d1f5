#!/usr/bin/env bash
# Compares the server package with axum's Sse on a broadcast channel, and with Nchan: processor time per delivery, replay and
# memory. Takes some minutes and needs a quiet machine. Prints a Markdown table. Arguments are passed to the program, such as
# --clients 500 --rounds 7. With REDIS=1, the hub on Redis is a candidate, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/support/install.sh
need "test -e /usr/lib/nginx/modules/ngx_nchan_module.so" nginx-light libnginx-mod-nchan
[[ -z ${REDIS-} ]] || need "command -v redis-server" redis-server

features=()
[[ -z ${REDIS-} ]] || features=(--features redis)
cargo build --quiet --release -p sse-proto-server-benches "${features[@]}"
program=$(target_folder)/release/sse-proto-server-benches

work=$(mktemp -d)
# Each client needs a socket on both sides.
ulimit -n "$(ulimit -Hn)"
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; wait; rm -r "$work"' EXIT

candidates=()
# start NAME ARGUMENT...: starts one of the program's servers.
start() {
    local name=$1
    shift
    "$program" serve "$@" >"$work/$name" &
    processes+=($!)
    until [[ -s $work/$name ]]; do sleep 0.05; done
    candidates+=("${name/,/;},$(cat "$work/$name"),$!")
}
free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start hub hub
start 'axum, encoded for each client' axum
start 'axum, encoded once' axum-shared
if [[ -n ${REDIS-} ]]; then
    port=$(free_port)
    redis-server --port "$port" --bind 127.0.0.1 --dir "$work" --save '' --appendonly yes >"$work/redis-server.log" &
    processes+=($!)
    until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.05; done
    start redis redis --redis "redis://127.0.0.1:$port"
fi

port=$(free_port)
cat >"$work/nginx.conf" <<END
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
worker_processes 2;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    nchan_shared_memory_size 512M;
    nchan_message_buffer_length 100000;
    nchan_message_timeout 1h;
    server {
        listen 127.0.0.1:$port;
        tcp_nodelay on;
        location = /publish { nchan_publisher; nchan_channel_id bench; }
        location = /events { nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; }
        location = /oldest { nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message oldest; }
    }
}
END
nginx -p "$work" -c "$work/nginx.conf" 2>>"$work/nginx.log" &
processes+=($!)
until curl --silent --output /dev/null "http://127.0.0.1:$port/publish"; do sleep 0.05; done
candidates+=("nchan,127.0.0.1:$port,$(pgrep --parent $! | paste -sd, -)")

"$program" measure "${candidates[@]}" "$@"
