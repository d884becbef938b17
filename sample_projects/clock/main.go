// Command clock answers over HTTP what time it is elsewhere, and whom it would trust on the way there.
package main

import (
	"context"
	"crypto/x509"
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

// There is a zone of this name wherever there is zone data at all.
const anyZone = "Europe/Zurich"

var zoneName = regexp.MustCompile(`^[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2}$`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("clock listens on", listener.Addr())
	server := &http.Server{Handler: routes(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /time", local)
	mux.HandleFunc("GET /trust", trust)
	return mux
}

// local answers a moment as a clock elsewhere shows it: ?zone=Asia/Tokyo&at=1700000000, in seconds since 1970.
func local(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("zone")
	if !zoneName.MatchString(name) {
		refuse(w, http.StatusBadRequest, "zone must be a name such as %s", anyZone)
		return
	}
	at := time.Now()
	if given := r.URL.Query().Get("at"); given != "" {
		seconds, err := strconv.ParseInt(given, 10, 40)
		if err != nil {
			refuse(w, http.StatusBadRequest, "at must be whole seconds since 1970")
			return
		}
		at = time.Unix(seconds, 0)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		if _, none := time.LoadLocation(anyZone); none != nil {
			refuse(w, http.StatusServiceUnavailable, "no time zone data: %v", err)
			return
		}
		refuse(w, http.StatusNotFound, "there is no zone %q", name)
		return
	}
	_, offset := at.In(zone).Zone()
	shown := at.In(zone).Format("2006-01-02 15:04:05")
	answer(w, http.StatusOK, map[string]any{"zone": name, "local": shown, "offset_s": offset})
}

// trust answers how many authorities the service would trust on a way over TLS.
func trust(w http.ResponseWriter, _ *http.Request) {
	pool, err := x509.SystemCertPool()
	if err != nil || pool.Equal(x509.NewCertPool()) {
		refuse(w, http.StatusServiceUnavailable, "no certificates: nobody could be trusted")
		return
	}
	// On Linux the pool holds what was read from files, which is what is counted here.
	answer(w, http.StatusOK, map[string]int{"authorities": len(pool.Subjects())}) //nolint:staticcheck
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
