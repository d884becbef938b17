// Command go-server answers over HTTP what its own Dockerfile is made of.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// stage is one stage of the Dockerfile that this service is shipped with.
type stage struct {
	Name    string `json:"name"`
	Base    string `json:"base"`
	Purpose string `json:"purpose"`
	Shipped bool   `json:"shipped"`
}

var stages = []stage{
	{Name: "builder", Base: "golang:1.22-alpine", Purpose: "compile one static binary", Shipped: false},
	{Name: "stage-1", Base: "scratch", Purpose: "run that binary", Shipped: true},
}

var stageName = regexp.MustCompile(`^[a-z][a-z0-9_.-]*$`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	listener, err := net.Listen("tcp", ":"+port())
	if err != nil {
		log.Fatal(err)
	}
	log.Println("go-server listens on", listener.Addr())
	if err := serve(ctx, listener); err != nil {
		log.Fatal(err)
	}
}

func port() string {
	if port := os.Getenv("PORT"); port != "" {
		return port
	}
	return "8080"
}

// serve answers until the context ends, then gives what is under way two seconds to finish.
func serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: routes(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /api/stages", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, stages)
	})
	mux.HandleFunc("GET /api/stages/{name}", oneStage)
	mux.HandleFunc("GET /api/reduction", reduction)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "there is nothing at %s", r.URL.Path)
	})
	return mux
}

func oneStage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !stageName.MatchString(name) {
		refuse(w, http.StatusBadRequest, "a stage name starts with a letter; then come a-z, 0-9, '_', '.' and '-'")
		return
	}
	for _, one := range stages {
		if one.Name == name {
			answer(w, http.StatusOK, one)
			return
		}
	}
	refuse(w, http.StatusNotFound, "there is no stage %q", name)
}

// reduction answers the share by which an image became smaller: ?before=281&after=7.
func reduction(w http.ResponseWriter, r *http.Request) {
	before, err := strconv.ParseUint(r.URL.Query().Get("before"), 10, 50)
	if err != nil || before == 0 {
		refuse(w, http.StatusBadRequest, "before must be a whole number of bytes, more than 0")
		return
	}
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 50)
	if err != nil {
		refuse(w, http.StatusBadRequest, "after must be a whole number of bytes")
		return
	}
	share := 1 - float64(after)/float64(before)
	answer(w, http.StatusOK, map[string]any{"before": before, "after": after, "reduction": share})
}

func refuse(w http.ResponseWriter, status int, format string, values ...any) {
	answer(w, status, map[string]string{"error": fmt.Sprintf(format, values...)})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}
