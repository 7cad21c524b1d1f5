// An adapter for github.com/gin-contrib/sse in gin, as Debian packages both: it speaks the protocol of ADAPTER.md.
//
// For each request, a client gets `/` over loopback, where gin renders the frames, and the answer is the body.
//
// Build it in the GOPATH /usr/share/gocode, without modules.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/gin-contrib/sse"
	"github.com/gin-gonic/gin"
)

type frame struct {
	Event string
	Data  *string
	ID    *string
	Retry *uint
}

type request struct {
	Case   uint64
	Kind   string
	Frames []frame
}

// What the API cannot express: its zero values mean that there is no such field, and data is always written.
func cannotSay(frames []frame) string {
	for _, it := range frames {
		switch {
		case it.Data == nil:
			return "a frame without data"
		case it.ID != nil && *it.ID == "":
			return "the empty id"
		case it.Retry != nil && *it.Retry == 0:
			return "the reconnection time 0"
		}
	}
	return ""
}

func event(it frame) sse.Event {
	event := sse.Event{Event: it.Event, Data: *it.Data}
	if it.ID != nil {
		event.Id = *it.ID
	}
	if it.Retry != nil {
		event.Retry = *it.Retry
	}
	return event
}

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func main() {
	var frames []frame
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.GET("/", func(context *gin.Context) {
		for _, it := range frames {
			context.Render(-1, event(it))
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, router)
	url := fmt.Sprintf("http://%s/", listener.Addr())

	// Such as 0.1.0-2, where Debian's revision follows the hyphen.
	said, _ := exec.Command("dpkg-query", "-W", "-f", "${Version}", "golang-github-gin-contrib-sse-dev").Output()
	version, _, _ := strings.Cut(string(said), "-")
	lines := bufio.NewReader(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var it request
		if err := json.Unmarshal(line, &it); err != nil {
			panic(err)
		}
		answer := map[string]any{"case": it.Case}
		switch it.Kind {
		case "capabilities":
			answer["name"], answer["version"] = "gin-contrib/sse", version
			answer["capabilities"] = []string{"encode", "retry", "big-number"}
		case "encode":
			if what := cannotSay(it.Frames); what != "" {
				answer["error"] = "cannot say: " + what
				break
			}
			frames = it.Frames
			if body, err := get(url); err != nil {
				answer["error"] = "no response: " + err.Error()
			} else {
				answer["bytes"] = body
			}
		default:
			answer["unsupported"] = true
		}
		if err := answers.Encode(answer); err != nil {
			panic(err)
		}
	}
}
