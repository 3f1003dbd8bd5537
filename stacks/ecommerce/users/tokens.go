package main

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer   = "users"
	audience = "shop"
	lifetime = time.Hour
)

// tokens makes and verifies the shop's tokens: HS256, and no other method.
type tokens struct{ secret []byte }

func init() {
	// One audience is written as a string, not as a list of one.
	jwt.MarshalSingleStringAsArray = false
}

// issue gives a token for the account of this id, and when it ends.
func (t tokens) issue(id string, now time.Time) (string, time.Time, error) {
	ends := now.Add(lifetime)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject:   id,
		Issuer:    issuer,
		Audience:  jwt.ClaimStrings{audience},
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(ends),
	}).SignedString(t.secret)
	return token, ends, err
}

// subject is the id of the account that a token was issued for; an error for any other token.
func (t tokens) subject(token string) (string, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims,
		func(*jwt.Token) (any, error) { return t.secret, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
	)
	return claims.Subject, err
}
