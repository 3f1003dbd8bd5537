package main

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var (
	requests = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Requests answered.",
	}, []string{"method", "route", "code"})
	durations = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time from a request's headers to its answer's end.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"method", "route"})
	signups = promauto.NewCounter(prometheus.CounterOpts{
		Name: "users_signups_total", Help: "Accounts created.",
	})
	logins = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "users_logins_total", Help: "Log-ins, by result.",
	}, []string{"result"})
)

// status remembers what was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// observed answers the operators' questions, and counts, times and logs all other requests.
func (s *service) observed(routes *http.ServeMux) http.Handler {
	metrics := promhttp.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health": // asks nobody: a database that is away is no reason to replace this task
			answer(w, http.StatusOK, map[string]string{"status": "alive"})
			return
		case "/started":
			s.started(w)
			return
		case "/ready":
			s.ready(w, r)
			return
		case "/metrics":
			metrics.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		seen := &status{w, http.StatusOK}
		routes.ServeHTTP(seen, r)
		took := time.Since(began)
		// The pattern, not the path: who asks for a million addresses makes no million counters.
		_, route, _ := strings.Cut(" "+r.Pattern, "/")
		route = "/" + route
		method := r.Method
		switch method {
		case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		default:
			method = "other"
		}
		requests.WithLabelValues(method, route, strconv.Itoa(seen.code)).Inc()
		durations.WithLabelValues(method, route).Observe(took.Seconds())
		slog.Info("request", "method", method, "route", route, "code", seen.code,
			"ms", took.Milliseconds(), "request_id", requestID(r))
	})
}

// started is for Swarm's health check: from when the service has once been able to do its work it
// asks nobody, like /health.
func (s *service) started(w http.ResponseWriter) {
	if s.accounts.Started() {
		answer(w, http.StatusOK, map[string]string{"status": "started"})
		return
	}
	missing(w, "database", "The database has not been there yet.")
}

func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if s.draining.Load() {
		missing(w, "service", "This task is leaving.")
	} else if err := s.accounts.Ready(ctx); err != nil {
		missing(w, "database", "The database does not answer.")
	} else {
		answer(w, http.StatusOK, map[string]any{"status": "ready"})
	}
}

func missing(w http.ResponseWriter, what, message string) {
	answer(w, http.StatusServiceUnavailable,
		map[string]any{"error": "not_ready", "message": message, "missing": []string{what}})
}

// requestID is what the gateway calls this request in its own log.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) > 64 {
		return ""
	}
	return id
}
