// Without a go.mod, as ./build works, Go takes old defaults: a router without methods in its patterns.
//go:debug default=go1.23

// Command users keeps the shop's accounts: it signs people up, logs them in, and gives them tokens
// that the other services verify.
//
// Without arguments it serves. `users check` asks the service in the same container whether it has
// started, for Swarm's health check: the image holds this file and nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What is left of Swarm's grace period when the news that this task is leaving has travelled.
const finishWithin = 6 * time.Second

type settings struct {
	port        string
	databaseURL string
	jwtSecret   []byte
	drain       time.Duration
	cost        int
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("service", "users"))
	if len(os.Args) == 2 && os.Args[1] == "check" {
		os.Exit(check(env("PORT", "4000")))
	}
	found, err := readSettings()
	if err != nil {
		slog.Error("The settings can't be used.", "reason", err.Error())
		os.Exit(2)
	}
	if err := serve(found); err != nil {
		slog.Error("The service ends.", "reason", err.Error())
		os.Exit(1)
	}
}

func serve(found settings) error {
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	accounts, err := openDatabase(found.databaseURL)
	if err != nil {
		return err
	}
	defer accounts.Close()
	go accounts.MigrateUntilDone(told)

	service := newService(accounts, tokens{found.jwtSecret}, found.cost)
	server := &http.Server{
		Addr:              ":" + found.port,
		Handler:           service.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("Listening.", "port", found.port)
	select {
	case err := <-failed:
		return err
	case <-told.Done():
	}
	// Not every node has heard yet that this task takes no more visitors: those who still come are
	// served, on connections that are closed after the answer.
	slog.Info("Told to stop: draining.")
	service.draining.Store(true)
	server.SetKeepAlivesEnabled(false)
	time.Sleep(found.drain)
	within, cancel := context.WithTimeout(context.Background(), finishWithin)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		return fmt.Errorf("requests were still running after %s: %w", finishWithin, err)
	}
	slog.Info("Stopped.")
	return nil
}

// check is 0 when the service in this container has started, 1 otherwise.
func check(port string) int {
	client := http.Client{Timeout: 3 * time.Second}
	answer, err := client.Get("http://127.0.0.1:" + port + "/started")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, answer.Status)
		return 1
	}
	return 0
}

func readSettings() (settings, error) {
	databaseURL, err := secret("DATABASE_URL")
	if err != nil {
		return settings{}, err
	}
	key, err := secret("JWT_SECRET")
	if err != nil {
		return settings{}, err
	}
	drain, err := strconv.ParseFloat(env("DRAIN_SECONDS", "3"), 64)
	if err != nil || drain < 0 || drain > 60 {
		return settings{}, errors.New("DRAIN_SECONDS must be a number from 0 to 60")
	}
	cost, err := strconv.Atoi(env("BCRYPT_COST", "10"))
	if err != nil || cost < 4 || cost > 15 {
		return settings{}, errors.New("BCRYPT_COST must be a number from 4 to 15")
	}
	return settings{
		port:        env("PORT", "4000"),
		databaseURL: databaseURL,
		jwtSecret:   []byte(key),
		drain:       time.Duration(drain * float64(time.Second)),
		cost:        cost,
	}, nil
}

// secret is the content of the file that NAME_FILE names, or NAME itself, without a final newline.
func secret(name string) (string, error) {
	value := os.Getenv(name)
	if path := os.Getenv(name + "_FILE"); path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("%s_FILE names a file that can't be read: %w", name, err)
		}
		value = string(content)
	}
	value = strings.TrimSuffix(value, "\n")
	if value == "" {
		return "", fmt.Errorf("neither %s_FILE nor %s gives a value", name, name)
	}
	return value, nil
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
