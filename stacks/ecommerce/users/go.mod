module ecommerce/users

go 1.23

// The versions of Debian 13, from whose packages ./build takes them. Where a module proxy can be
// reached, `go mod tidy` adds the rest and go.sum.
require (
	github.com/golang-jwt/jwt/v5 v5.2.2
	github.com/lib/pq v1.10.9
	github.com/prometheus/client_golang v1.21.1
	golang.org/x/crypto v0.25.0
)
