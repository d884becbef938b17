package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, path string) (int, map[string]any) {
	t.Helper()
	recorder := httptest.NewRecorder()
	routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	if found := recorder.Header().Get("Content-Type"); found != "application/json" {
		t.Errorf("%s: content type %q", path, found)
	}
	body := map[string]any{}
	if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v in %q", path, err, recorder.Body)
	}
	return recorder.Code, body
}

func TestHealth(t *testing.T) {
	status, body := get(t, "/health")
	if status != http.StatusOK || body["status"] != "ok" {
		t.Errorf("got %d %v", status, body)
	}
}

func TestStagesComeInTheOrderOfTheDockerfile(t *testing.T) {
	recorder := httptest.NewRecorder()
	routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/api/stages", nil))
	var found []stage
	if err := json.Unmarshal(recorder.Body.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Name != "builder" || found[1].Base != "scratch" {
		t.Errorf("got %v", found)
	}
}

func TestOneStage(t *testing.T) {
	for path, expected := range map[string]int{
		"/api/stages/builder":      http.StatusOK,
		"/api/stages/biulder":      http.StatusNotFound,
		"/api/stages/Builder":      http.StatusBadRequest,
		"/api/stages/two%20words":  http.StatusBadRequest,
		"/api/stages/builder/more": http.StatusNotFound,
	} {
		if status, body := get(t, path); status != expected {
			t.Errorf("%s: got %d %v, expected %d", path, status, body, expected)
		}
	}
}

func TestReduction(t *testing.T) {
	for query, expected := range map[string]float64{
		"before=200&after=50":  0.75,
		"before=200&after=200": 0,
		"before=100&after=150": -0.5,
	} {
		if status, body := get(t, "/api/reduction?"+query); status != http.StatusOK || body["reduction"] != expected {
			t.Errorf("%s: got %d %v, expected %g", query, status, body, expected)
		}
	}
	for _, query := range []string{"", "before=200", "before=0&after=0", "before=200&after=-1", "before=1e3&after=1"} {
		if status, body := get(t, "/api/reduction?"+query); status != http.StatusBadRequest {
			t.Errorf("%q: got %d %v, expected 400", query, status, body)
		}
	}
}

func TestAnythingElseIsNotFoundInJSON(t *testing.T) {
	status, body := get(t, "/stages")
	if status != http.StatusNotFound || !strings.Contains(body["error"].(string), "/stages") {
		t.Errorf("got %d %v", status, body)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener) }()

	response, err := http.Get("http://" + listener.Addr().String() + "/health")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("got %d", response.StatusCode)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still serving 10 s after its context ended")
	}
}
