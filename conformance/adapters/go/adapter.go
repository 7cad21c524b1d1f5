// An adapter for decoders in Go, as Debian packages them: `adapter NAME` speaks the protocol of ADAPTER.md.
//
// Build it in the GOPATH /usr/share/gocode, without modules.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/donovanhide/eventsource"
	"github.com/gin-contrib/sse"
)

type request struct {
	Case   uint64
	Kind   string
	Chunks [][]byte
}

type item struct {
	Event       string `json:"event"`
	Data        string `json:"data"`
	LastEventID string `json:"lastEventId"`
}

// A body that adds a list to the answer before each chunk: what the decoder returns before it reads on is of the last one.
type body struct {
	chunks [][]byte
	rest   []byte
	answer [][]item
}

func (b *body) Read(buffer []byte) (int, error) {
	if len(b.rest) == 0 {
		if len(b.answer) == len(b.chunks) {
			return 0, io.EOF
		}
		b.rest = b.chunks[len(b.answer)]
		b.answer = append(b.answer, []item{})
	}
	count := copy(buffer, b.rest)
	b.rest = b.rest[count:]
	return count, nil
}

type decoder struct {
	debian       string
	capabilities []string
	decode       func(chunks [][]byte) [][]item
}

var decoders = map[string]decoder{
	"donovanhide/eventsource": {"golang-github-donovanhide-eventsource-dev", []string{"decode", "chunks", "empty-chunks", "large"}, donovanhide},
	"gin-contrib/sse":         {"golang-github-gin-contrib-sse-dev", []string{"decode", "large"}, gin},
}

func donovanhide(chunks [][]byte) [][]item {
	body := &body{chunks: chunks, answer: [][]item{}}
	decoder := eventsource.NewDecoder(body)
	lastEventID := ""
	for {
		event, err := decoder.Decode()
		if err != nil {
			// The only errors are the ends of the body: between two events, and in one.
			break
		}
		// As its Stream remembers it for a reconnect.
		if event.Id() != "" {
			lastEventID = event.Id()
		}
		kind := event.Event()
		if kind == "" {
			kind = "message"
		}
		last := &body.answer[len(body.answer)-1]
		*last = append(*last, item{kind, event.Data(), lastEventID})
	}
	for len(body.answer) < len(chunks) {
		body.answer = append(body.answer, []item{})
	}
	return body.answer
}

// Reads the whole body first.
func gin(chunks [][]byte) [][]item {
	events, err := sse.Decode(bytes.NewReader(bytes.Join(chunks, nil)))
	if err != nil {
		panic(err)
	}
	answer := make([][]item, len(chunks))
	for index := range answer {
		answer[index] = []item{}
	}
	lastEventID := ""
	for _, event := range events {
		if event.Id != "" {
			lastEventID = event.Id
		}
		last := &answer[len(answer)-1]
		*last = append(*last, item{event.Event, event.Data.(string), lastEventID})
	}
	return answer
}

// The version of the package, or its date and commit.
func version(debian string) string {
	found, err := exec.Command("dpkg-query", "--show", "--showformat", "${Version}", debian).Output()
	if err != nil {
		panic(err)
	}
	text := string(found)
	if _, commit, found := strings.Cut(text, "git"); found {
		text = commit
	}
	return text[:strings.LastIndex(text, "-")]
}

func main() {
	name := os.Args[1]
	decoder := decoders[name]
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil {
			panic(err)
		}
		reply := map[string]any{"case": asked.Case}
		switch asked.Kind {
		case "capabilities":
			reply["name"] = name
			reply["version"] = version(decoder.debian)
			reply["capabilities"] = decoder.capabilities
		case "decode":
			reply["chunks"] = decoder.decode(asked.Chunks)
		default:
			reply["unsupported"] = true
		}
		out, err := json.Marshal(reply)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(out))
	}
}
