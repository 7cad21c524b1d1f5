// An adapter for the decoder of github.com/donovanhide/eventsource, as Debian packages it: it speaks the protocol of ADAPTER.md.
//
// Build it in the GOPATH /usr/share/gocode, without modules.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/donovanhide/eventsource"
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

func decode(chunks [][]byte) [][]item {
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

// The version of the package: a date and a commit.
func version() string {
	found, err := exec.Command("dpkg-query", "--show", "--showformat", "${Version}", "golang-github-donovanhide-eventsource-dev").Output()
	if err != nil {
		panic(err)
	}
	text := string(found)
	text = text[strings.Index(text, "git")+3:]
	return text[:strings.LastIndex(text, "-")]
}

func main() {
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
			reply["name"] = "donovanhide/eventsource"
			reply["version"] = version()
			reply["capabilities"] = []string{"decode", "chunks", "large"}
		case "decode":
			reply["chunks"] = decode(asked.Chunks)
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
