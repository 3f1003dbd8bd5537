package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// memory is a database that forgets, and that can be away.
type memory struct {
	known map[string]account
	away  bool
}

var errAway = errors.New("away")

func (m *memory) Create(_ context.Context, wanted account) (string, error) {
	if m.away {
		return "", errAway
	}
	if _, there := m.known[wanted.Email]; there {
		return "", errTaken
	}
	wanted.ID = "id of " + wanted.Email
	m.known[wanted.Email] = wanted
	return wanted.ID, nil
}

func (m *memory) ByEmail(_ context.Context, email string) (account, error) {
	if m.away {
		return account{}, errAway
	}
	found, there := m.known[email]
	if !there {
		return account{}, errUnknown
	}
	return found, nil
}

func (m *memory) ByID(ctx context.Context, id string) (account, error) {
	return m.ByEmail(ctx, strings.TrimPrefix(id, "id of "))
}

func (m *memory) Ready(context.Context) error {
	if m.away {
		return errAway
	}
	return nil
}

func (m *memory) Started() bool { return !m.away }

type shop struct {
	*testing.T
	memory  *memory
	service *service
}

func open(t *testing.T) shop {
	kept := &memory{known: map[string]account{}}
	return shop{t, kept, newService(kept, tokens{[]byte("a secret")}, bcrypt.MinCost)}
}

func (s shop) ask(method, path, body string, headers ...string) (int, map[string]any) {
	s.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answered := httptest.NewRecorder()
	s.service.handler().ServeHTTP(answered, request)
	content := map[string]any{}
	if err := json.Unmarshal(answered.Body.Bytes(), &content); err != nil {
		s.Fatalf("%s %s: no JSON: %q", method, path, answered.Body)
	}
	return answered.Code, content
}

func (s shop) expect(wanted int, word, method, path, body string, headers ...string) map[string]any {
	s.Helper()
	code, content := s.ask(method, path, body, headers...)
	if code != wanted || (word != "" && content["error"] != word) {
		s.Errorf("%s %s %.80s: %d %v, wanted %d %s", method, path, body, code, content, wanted, word)
	}
	if message, _ := content["message"].(string); word != "" && message == "" {
		s.Errorf("%s %s: nothing is said: %v", method, path, content)
	}
	return content
}

const ann = `{"email": " Ann@Example.org ", "password": "correct horse", "name": "Ann"}`

func TestSignUpLogInMe(t *testing.T) {
	s := open(t)
	made := s.expect(201, "", "POST", "/users", ann)
	if made["email"] != "ann@example.org" || made["name"] != "Ann" || made["password"] != nil {
		t.Errorf("not what was asked for: %v", made)
	}
	if kept := s.memory.known["ann@example.org"]; strings.Contains(string(kept.PasswordHash), "correct") {
		t.Error("the password is kept itself")
	}
	s.expect(409, "taken", "POST", "/users", ann)
	logged := s.expect(200, "", "POST", "/sessions", `{"email": "ANN@example.org", "password": "correct horse"}`)
	if _, err := time.Parse(time.RFC3339, logged["expires_at"].(string)); err != nil {
		t.Error(err)
	}
	me := s.expect(200, "", "GET", "/me", "", "Authorization", "Bearer "+logged["token"].(string))
	if me["id"] != made["id"] {
		t.Errorf("somebody else: %v", me)
	}
}

func TestWhatCanNotBeAnAccountIsRefusedAndNotStored(t *testing.T) {
	s := open(t)
	with := func(field, value string) string {
		fields := map[string]any{"email": "a@b.cd", "password": "12345678", "name": "n"}
		fields[field] = value
		text, _ := json.Marshal(fields)
		return string(text)
	}
	for _, body := range []string{
		"", "{", "[]", "null", `"text"`, "{}", ann + ann, `{"email": 4, "password": "12345678", "name": "n"}`,
		`{"email": "a@b.cd", "password": "12345678", "name": "n", "admin": true}`,
		with("email", "a@b"), with("email", "a b@c.de"), with("email", "a'; DROP TABLE users; --@b.cd\n"),
		with("email", strings.Repeat("a", 250)+"@b.cd"), with("email", "a\x00@b.cd"), with("email", ""),
		with("password", "1234567"), with("password", strings.Repeat("x", 73)), with("password", "1234567\x008"),
		with("name", " "), with("name", "a\x00b"), with("name", strings.Repeat("é", 101)),
	} {
		s.expect(422, "invalid", "POST", "/users", body)
	}
	s.expect(413, "too_large", "POST", "/users", with("name", strings.Repeat("x", 20000)))
	if len(s.memory.known) != 0 {
		t.Errorf("stored: %v", s.memory.known)
	}
	s.expect(201, "", "POST", "/users", with("name", "the one that may"))
}

func TestWhoCanNotLogIn(t *testing.T) {
	s := open(t)
	s.expect(201, "", "POST", "/users", ann)
	for _, body := range []string{
		`{"email": "ann@example.org", "password": "wrong"}`,
		`{"email": "ann@example.org", "password": ""}`,
		`{"email": "bob@example.org", "password": "correct horse"}`,
		`{"email": "bob@example.org", "password": "nobody's password"}`,
		`{"email": "' OR 1=1 --", "password": "correct horse"}`,
	} {
		s.expect(401, "unauthorized", "POST", "/sessions", body)
	}
}

func TestWhatBcryptTakesForThePasswordIsNotThePassword(t *testing.T) {
	s := open(t)
	longest := strings.Repeat("x", longestPassword)
	for email, password := range map[string]string{"ann@example.org": "correct horse", "bob@example.org": longest} {
		content, _ := json.Marshal(map[string]string{"email": email, "password": password, "name": "n"})
		s.expect(201, "", "POST", "/users", string(content))
		content, _ = json.Marshal(map[string]string{"email": email, "password": password})
		s.expect(200, "", "POST", "/sessions", string(content))
	}
	for email, password := range map[string]string{"ann@example.org": "correct horse\x00correct horse", "bob@example.org": longest + "y"} {
		content, _ := json.Marshal(map[string]string{"email": email, "password": password})
		s.expect(401, "unauthorized", "POST", "/sessions", string(content))
	}
}

// forged signs claims as anybody could who has the secret, by the algorithm that the header names.
func forged(header, claims, secret string) string {
	algorithm := sha256.New
	if strings.Contains(header, "HS512") {
		algorithm = sha512.New
	}
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(header)) + "." + part([]byte(claims))
	sum := hmac.New(algorithm, []byte(secret))
	sum.Write([]byte(signed))
	return signed + "." + part(sum.Sum(nil))
}

func TestTokensThatAreNotBelieved(t *testing.T) {
	s := open(t)
	s.expect(201, "", "POST", "/users", ann)
	const hs256 = `{"alg":"HS256","typ":"JWT"}`
	const good = `{"sub":"id of ann@example.org","iss":"users","aud":"shop","exp":32503680000}`
	s.expect(200, "", "GET", "/me", "", "Authorization", "Bearer "+forged(hs256, good, "a secret"))
	unsigned := forged(`{"alg":"none"}`, good, "")
	for what, token := range map[string]string{
		"other secret":     forged(hs256, good, "another secret"),
		"other algorithm":  forged(`{"alg":"HS512"}`, good, "a secret"),
		"no signature":     unsigned[:strings.LastIndex(unsigned, ".")+1],
		"at its end":       forged(hs256, strings.Replace(good, "32503680000", "1700000000", 1), "a secret"),
		"without an end":   forged(hs256, strings.Replace(good, `,"exp":32503680000`, "", 1), "a secret"),
		"another's":        forged(hs256, strings.Replace(good, "users", "somebody", 1), "a secret"),
		"for another shop": forged(hs256, strings.Replace(good, "shop", "bank", 1), "a secret"),
		"of nobody":        forged(hs256, strings.Replace(good, "ann", "bob", 1), "a secret"),
		"no token":         "x.y.z",
		"nothing":          "",
	} {
		t.Run(what, func(t *testing.T) {
			shop{t, s.memory, s.service}.expect(401, "unauthorized", "GET", "/me", "", "Authorization", "Bearer "+token)
		})
	}
	s.expect(401, "unauthorized", "GET", "/me", "")
	s.expect(401, "unauthorized", "GET", "/me", "", "Authorization", forged(hs256, good, "a secret"))
}

func TestATokenSaysWhatWasAgreed(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	token, ends, err := tokens{[]byte("a secret")}.issue("7", now)
	if err != nil || !ends.Equal(now.Add(time.Hour)) {
		t.Fatal(ends, err)
	}
	claims, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	const wanted = `{"iss":"users","sub":"7","aud":"shop","exp":1800003600,"iat":1800000000}`
	if string(claims) != wanted {
		t.Errorf("%s, wanted %s", claims, wanted)
	}
}

func TestADatabaseThatIsAway(t *testing.T) {
	s := open(t)
	s.expect(200, "", "GET", "/ready", "")
	s.expect(200, "", "GET", "/started", "")
	s.memory.away = true
	s.expect(503, "unavailable", "POST", "/users", ann)
	s.expect(503, "unavailable", "POST", "/sessions", `{"email": "ann@example.org", "password": "correct horse"}`)
	s.expect(200, "", "GET", "/health", "")
	missing := s.expect(503, "not_ready", "GET", "/ready", "")["missing"].([]any)
	if len(missing) != 1 || missing[0] != "database" {
		t.Error(missing)
	}
	s.expect(503, "not_ready", "GET", "/started", "")
}

func TestWhoIsLeavingIsNotReadyAndStillServes(t *testing.T) {
	s := open(t)
	s.service.draining.Store(true)
	s.expect(503, "not_ready", "GET", "/ready", "")
	s.expect(200, "", "GET", "/health", "")
	s.expect(201, "", "POST", "/users", ann)
}

func TestOtherAddressesAndMetrics(t *testing.T) {
	s := open(t)
	s.expect(404, "not_found", "GET", "/", "")
	s.expect(404, "not_found", "GET", "/users/1", "")
	s.expect(405, "method", "DELETE", "/users", "")
	answered := httptest.NewRecorder()
	s.service.handler().ServeHTTP(answered, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`http_requests_total{code="405",method="DELETE",route="/users"}`,
		`http_requests_total{code="404",method="GET",route="/"}`,
		`http_request_duration_seconds_bucket{method="DELETE",route="/users",le="0.005"}`,
	} {
		if !strings.Contains(answered.Body.String(), line) {
			t.Errorf("%s is not told", line)
		}
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("of the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JWT_SECRET", "of the environment")
	t.Setenv("JWT_SECRET_FILE", path)
	if value, err := secret("JWT_SECRET"); value != "of the file" || err != nil {
		t.Error(value, err)
	}
	t.Setenv("JWT_SECRET_FILE", path+".none")
	if _, err := secret("JWT_SECRET"); err == nil || !strings.Contains(err.Error(), "JWT_SECRET_FILE") {
		t.Error(err)
	}
	if _, err := secret("DATABASE_URL"); err == nil {
		t.Error("nothing is missing")
	}
}

func TestNoMessageRepeatsTheDatabasesPassword(t *testing.T) {
	for _, url := range []string{"mysql://u:hunter2@x/y", "postgresql://u:hunter2@x:port/y", "://hunter2"} {
		if _, err := openDatabase(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	}
}
