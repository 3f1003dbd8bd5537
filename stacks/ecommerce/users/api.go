package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

const (
	largestBody     = 16 << 10
	longestEmail    = 254
	longestName     = 100
	longestPassword = 72 // bytes: bcrypt reads no more
	leastPassword   = 8
)

// What browsers take for an address in a form (HTML, "valid e-mail address"), with a dot in it.
var emailForm = regexp.MustCompile(
	"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$")

// accounts is what the service needs of its database.
type accounts interface {
	Create(ctx context.Context, wanted account) (id string, err error)
	ByEmail(ctx context.Context, email string) (account, error)
	ByID(ctx context.Context, id string) (account, error)
	Ready(ctx context.Context) error
	Started() bool
}

type service struct {
	accounts accounts
	tokens   tokens
	cost     int
	nobody   []byte        // a hash that no password has: unknown people take as long as known ones
	hashing  chan struct{} // hashing takes a processor: no more at once than there are
	draining atomic.Bool
}

func newService(accounts accounts, tokens tokens, cost int) *service {
	nobody, err := bcrypt.GenerateFromPassword([]byte("nobody's password"), cost)
	if err != nil {
		panic(err)
	}
	return &service{
		accounts: accounts, tokens: tokens, cost: cost, nobody: nobody,
		hashing: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

func (s *service) handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("POST /users", s.signUp)
	routes.HandleFunc("POST /sessions", s.logIn)
	routes.HandleFunc("GET /me", s.me)
	for _, path := range []string{"/users", "/sessions", "/me"} {
		routes.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusMethodNotAllowed, "method", "This address has no such method.")
		})
	}
	routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "not_found", "There is nothing at this address.")
	})
	return s.observed(routes)
}

type credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Name     string `json:"name"`
}

type person struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

func (s *service) signUp(w http.ResponseWriter, r *http.Request) {
	asked, ok := s.read(w, r)
	if !ok {
		return
	}
	asked.Name = strings.TrimSpace(asked.Name)
	if wrong := asked.wrong(); wrong != "" {
		refuse(w, http.StatusUnprocessableEntity, "invalid", wrong)
		return
	}
	var hash []byte
	if !s.withProcessor(r.Context(), func() {
		hash, _ = bcrypt.GenerateFromPassword([]byte(asked.Password), s.cost)
	}) || hash == nil {
		unavailable(w)
		return
	}
	id, err := s.accounts.Create(r.Context(), account{Email: asked.Email, Name: asked.Name, PasswordHash: hash})
	switch {
	case errors.Is(err, errTaken):
		refuse(w, http.StatusConflict, "taken", "Somebody has signed up with this email already.")
	case err != nil:
		s.failed(w, err)
	default:
		signups.Inc()
		answer(w, http.StatusCreated, person{id, asked.Email, asked.Name})
	}
}

func (s *service) logIn(w http.ResponseWriter, r *http.Request) {
	asked, ok := s.read(w, r)
	if !ok {
		return
	}
	known := account{PasswordHash: s.nobody}
	var err error
	if emailForm.MatchString(asked.Email) {
		known, err = s.accounts.ByEmail(r.Context(), asked.Email)
	} else {
		err = errUnknown
	}
	if err != nil && !errors.Is(err, errUnknown) {
		s.failed(w, err)
		return
	}
	hash := known.PasswordHash
	if err != nil {
		hash = s.nobody
	}
	var differs error
	if !s.withProcessor(r.Context(), func() {
		differs = bcrypt.CompareHashAndPassword(hash, []byte(asked.Password))
	}) {
		unavailable(w)
		return
	}
	if err != nil || differs != nil || !hashed(asked.Password) {
		logins.WithLabelValues("refused").Inc()
		refuse(w, http.StatusUnauthorized, "unauthorized", "Email or password is wrong.")
		return
	}
	token, ends, err := s.tokens.issue(known.ID, time.Now())
	if err != nil {
		s.failed(w, err)
		return
	}
	logins.WithLabelValues("accepted").Inc()
	answer(w, http.StatusOK, map[string]string{"token": token, "expires_at": ends.UTC().Format(time.RFC3339)})
}

func (s *service) me(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	id, err := s.tokens.subject(token)
	if !strings.EqualFold(scheme, "Bearer") || err != nil {
		unauthorized(w)
		return
	}
	found, err := s.accounts.ByID(r.Context(), id)
	switch {
	case errors.Is(err, errUnknown):
		unauthorized(w)
	case err != nil:
		s.failed(w, err)
	default:
		answer(w, http.StatusOK, person{found.ID, found.Email, found.Name})
	}
}

// wrong says what is wrong with what somebody wants to sign up with, or nothing.
func (c credentials) wrong() string {
	switch {
	case len(c.Email) > longestEmail || !emailForm.MatchString(c.Email):
		return "The email is no address like name@example.org of at most 254 characters."
	case c.Name == "" || utf8.RuneCountInString(c.Name) > longestName || strings.ContainsFunc(c.Name, unicode.IsControl):
		return "The name must have 1 to 100 characters, none of them a control character."
	case utf8.RuneCountInString(c.Password) < leastPassword || len(c.Password) > longestPassword:
		return "The password must have at least 8 characters and at most 72 bytes."
	case !hashed(c.Password):
		return "The password must not have the character NUL."
	}
	return ""
}

// hashed says whether all of a password is in its hash. bcrypt reads a NUL as the end, after which a
// password begins again, and nothing behind its 72nd byte: another password would be taken for this one.
func hashed(password string) bool {
	return len(password) <= longestPassword && !strings.ContainsRune(password, 0)
}

// read gives what was sent, or answers what is wrong with it and gives false.
func (s *service) read(w http.ResponseWriter, r *http.Request) (asked credentials, ok bool) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&asked)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			asked.Email = strings.ToLower(strings.TrimSpace(asked.Email))
			return asked, true
		}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		refuse(w, http.StatusRequestEntityTooLarge, "too_large", "A request may have 16 kB.")
	} else {
		refuse(w, http.StatusUnprocessableEntity, "invalid",
			"The body must be one JSON object with email, password and, to sign up, name, all of them text.")
	}
	return asked, false
}

// withProcessor does what takes a processor when one is free; false when the visitor left first.
func (s *service) withProcessor(ctx context.Context, work func()) bool {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		work()
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *service) failed(w http.ResponseWriter, err error) {
	slog.Error("A request could not be served.", "reason", cause(err))
	unavailable(w)
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, "unavailable", "Accounts can't be reached now; please try again.")
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="shop"`)
	refuse(w, http.StatusUnauthorized, "unauthorized", "A valid token is needed: log in.")
}

func refuse(w http.ResponseWriter, code int, word, message string) {
	answer(w, code, map[string]string{"error": word, "message": message})
}

func answer(w http.ResponseWriter, code int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(content); err != nil {
		slog.Warn("An answer was not read to its end.", "reason", err.Error())
	}
}
