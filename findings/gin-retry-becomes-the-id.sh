#!/usr/bin/env bash
# gin-contrib/sse reads its own streams wrongly: a reconnection time becomes the ID of the event.
#
# Software: golang-github-gin-contrib-sse-dev 0.1.0-2 (Debian 12), the package that gin sends events with.
#
# `Decode` stores the value of a `retry` line where it stores that of an `id` line, and its `Retry` is always 0. `Encode` writes
# the `retry` line after the `id` line, so of an event with both, the ID is lost. A client that resumes with the ID of the last
# event sends `Last-Event-ID: 3000`, a position that never was: a server that numbers its events may skip some of them, or
# repeat all.
#
# Results; each line is what was encoded, and what the decoder makes of it:
#
#   id 7, no retry      -> id 7, retry 0
#   id 7, retry 3000    -> id 3000, retry 0
#   no id, retry 3000   -> id 3000, retry 0
#
# Fails if any of this changes. Needs Go, and apt with the packages of Debian 12.
set -euo pipefail

expected=$(sed -n 's/^#   //p' "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq golang-github-gin-contrib-sse-dev=0.1.0-2
dpkg-deb --extract ./*.deb debian
cat >main.go <<'END'
package main

import (
	"bytes"
	"fmt"

	"github.com/gin-contrib/sse"
)

func main() {
	for _, event := range []sse.Event{
		{Id: "7", Data: "x"},
		{Id: "7", Retry: 3000, Data: "x"},
		{Retry: 3000, Data: "x"},
	} {
		var stream bytes.Buffer
		if err := sse.Encode(&stream, event); err != nil {
			panic(err)
		}
		read, err := sse.Decode(&stream)
		if err != nil {
			panic(err)
		}
		about := "no id"
		if event.Id != "" {
			about = "id " + event.Id
		}
		if event.Retry == 0 {
			about += ", no retry"
		} else {
			about += fmt.Sprintf(", retry %d", event.Retry)
		}
		fmt.Printf("%-19s -> id %s, retry %d\n", about, read[0].Id, read[0].Retry)
	}
}
END
seen=$(GO111MODULE=off GOPATH=$work/debian/usr/share/gocode GOCACHE=$work/cache go run main.go)
echo "$seen"
diff <(echo "$expected") <(echo "$seen")
