// Command proxy is package wire as a program, for suites in modules of their
// own.
//
//	proxy serve ROOT RECORD ADDRESS    stands before the server at ADDRESS; prints its own
//	proxy check ROOT CLIENT RECORD...  holds records against what a client is said to prove
//	proxy update ROOT CLIENT RECORD... writes what a client proves
//	proxy stories ROOT                 prints the stories of package story as JSON
//	proxy repositories FOLDER          makes the repositories of stories
//	proxy aws                          plays CloudFormation and STS; prints its address
//	proxy add ROOT CLIENT RECORD...    adds to what a client proves
//	proxy problems ROOT CLIENT RECORD... only looks for answers outside the model
//
// ROOT is the repository, CLIENT a file of internal/gen/model/proven. It
// writes its record when it is asked to end. PROXY_SERVER_IS_BROKEN lets the
// server answer with internal errors.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
	"github.com/hadronhq/hadron/test/conformance/story"
	"github.com/hadronhq/hadron/test/conformance/wire"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "serve":
		return serve(args[1], args[2], args[3])
	case len(args) == 1 && args[0] == "aws":
		aws, stop := cfntest.Start()
		fmt.Println(aws.URL)
		<-asked()
		stop()
		return nil
	case len(args) == 2 && args[0] == "repositories":
		return story.WriteRepositories(args[1])
	case len(args) == 2 && args[0] == "stories":
		stories, err := story.All(args[1])
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(stories)
	case len(args) > 3 && slices.Contains([]string{"check", "update", "add", "problems"}, args[0]):
		return check(args[0], args[1], args[2], args[3:])
	}
	return errors.New("usage: proxy serve ROOT RECORD ADDRESS | proxy stories ROOT | proxy repositories FOLDER | proxy aws | proxy check|update|add|problems ROOT CLIENT RECORD...")
}

// asked is told when the program is asked to end.
func asked() <-chan os.Signal {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	return end
}

func serve(root, file, address string) error {
	model, err := wire.LoadModel(root)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	record := wire.NewRecord()
	handler := wire.NewProxy(model, record, address)
	handler.Broken = os.Getenv("PROXY_SERVER_IS_BROKEN") != ""
	server := &http.Server{Handler: handler}
	end := asked()
	go func() {
		<-end
		server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return record.Save(file)
}

func check(verb, root, name string, files []string) error {
	n := slices.IndexFunc(wire.Clients, func(c wire.Client) bool { return c.File == name })
	if n < 0 {
		return fmt.Errorf("there is no client %s", name)
	}
	record := wire.NewRecord()
	for _, file := range files {
		if err := record.Add(file); err != nil {
			return err
		}
	}
	if problems := record.Problems(); len(problems) > 0 {
		return fmt.Errorf("answers outside the model:\n%s", strings.Join(problems, "\n"))
	}
	switch verb {
	case "problems":
		return nil
	case "add":
		if err := record.Keep(root, wire.Clients[n]); err != nil {
			return err
		}
	}
	return record.Check(root, wire.Clients[n], verb != "check")
}
