package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lib/pq"
)

var (
	errTaken   = errors.New("an account with this email exists")
	errUnknown = errors.New("there is no such account")
)

type account struct {
	ID           string
	Email        string
	Name         string
	PasswordHash []byte
}

// The key of PostgreSQL's advisory lock under which this service alone migrates its tables.
const migrationLock = 2101

// Version n of the schema is made by migrations[n-1]. What has been released is never changed.
var migrations = []string{
	`CREATE TABLE users (
		id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
		email text NOT NULL UNIQUE CHECK (email = lower(email)),
		name text NOT NULL,
		password_hash text NOT NULL,
		created_at timestamptz NOT NULL DEFAULT now()
	)`,
}

type database struct {
	*sql.DB
	migrated atomic.Bool
}

// An answer that doesn't come, because the database's node lost power, ends the connection.
type dialer struct{ net.Dialer }

const tcpUserTimeout = 0x12 // TCP_USER_TIMEOUT of Linux; package syscall has no name for it

func newDialer() *dialer {
	return &dialer{net.Dialer{
		KeepAlive: 5 * time.Second,
		Control: func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) {
				failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 5000)
			})
			return errors.Join(err, failed)
		},
	}}
}

func (d *dialer) DialTimeout(network, address string, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// openDatabase connects when it is first asked for something. No message repeats the URL.
func openDatabase(location string) (*database, error) {
	parsed, err := url.Parse(location)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		return nil, errors.New("DATABASE_URL is no URL of PostgreSQL")
	}
	query := parsed.Query()
	for name, value := range map[string]string{
		// The driver's own default refuses a server without TLS; the network is encrypted.
		"sslmode":           "disable",
		"connect_timeout":   "5",
		"statement_timeout": "3000",
		"application_name":  "users",
	} {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	parsed.RawQuery = query.Encode()
	connector, err := pq.NewConnector(parsed.String())
	if err != nil {
		return nil, errors.New("DATABASE_URL has parts that the driver doesn't know")
	}
	connector.Dialer(newDialer())
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(4)
	pool.SetConnMaxIdleTime(time.Minute)
	return &database{DB: pool}, nil
}

// MigrateUntilDone tries every second while the database isn't there.
func (d *database) MigrateUntilDone(ctx context.Context) {
	for {
		err := d.migrate(ctx)
		if err == nil {
			d.migrated.Store(true)
			return
		}
		slog.Warn("The database is not ready.", "reason", cause(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// migrate brings the schema to its newest version, once, however many replicas try: who comes
// second waits for the lock and finds nothing to do. The table says who did it.
func (d *database) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, statement := range []string{
		`SET LOCAL statement_timeout = '30s'`,
		fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, migrationLock),
		`CREATE TABLE IF NOT EXISTS users_schema (
			version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now(), applied_by text NOT NULL
		)`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	var version int
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM users_schema`).Scan(&version); err != nil {
		return err
	}
	host, _ := os.Hostname()
	for ; version < len(migrations); version++ {
		if _, err := tx.ExecContext(ctx, migrations[version]); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx,
			`INSERT INTO users_schema (version, applied_by) VALUES ($1, $2)`, version+1, host); err != nil {
			return err
		}
		slog.Info("The schema was migrated.", "version", version+1)
	}
	return tx.Commit()
}

func (d *database) Ready(ctx context.Context) error {
	if !d.migrated.Load() {
		return errors.New("its schema is not migrated yet")
	}
	return d.PingContext(ctx)
}

func (d *database) Started() bool { return d.migrated.Load() }

func (d *database) Create(ctx context.Context, wanted account) (string, error) {
	var id string
	err := d.QueryRowContext(ctx,
		`INSERT INTO users (email, name, password_hash) VALUES ($1, $2, $3) RETURNING id`,
		wanted.Email, wanted.Name, string(wanted.PasswordHash)).Scan(&id)
	var refused *pq.Error
	if errors.As(err, &refused) && refused.Code.Name() == "unique_violation" {
		return "", errTaken
	}
	return id, err
}

func (d *database) ByEmail(ctx context.Context, email string) (account, error) {
	return one(d.QueryRowContext(ctx, `SELECT id, email, name, password_hash FROM users WHERE email = $1`, email))
}

func (d *database) ByID(ctx context.Context, id string) (account, error) {
	return one(d.QueryRowContext(ctx, `SELECT id, email, name, password_hash FROM users WHERE id = $1::uuid`, id))
}

func one(row *sql.Row) (found account, err error) {
	err = row.Scan(&found.ID, &found.Email, &found.Name, &found.PasswordHash)
	var refused *pq.Error
	noID := errors.As(err, &refused) && refused.Code.Name() == "invalid_text_representation"
	if errors.Is(err, sql.ErrNoRows) || noID {
		err = errUnknown
	}
	return found, err
}

// cause is what may be logged of a database's error: its class, never the values of a statement.
func cause(err error) string {
	var refused *pq.Error
	if errors.As(err, &refused) {
		return refused.Code.Name()
	}
	return err.Error()
}
